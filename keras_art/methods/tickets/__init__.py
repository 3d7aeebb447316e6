"""Lottery tickets: masks by magnitude, training that keeps to them, and tickets as files."""
