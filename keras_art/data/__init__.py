"""Rows: collections, what is said about them, and what a run trains on."""
