"""Pixels: files decoded once, stored, read in batches, augmented, compared."""
