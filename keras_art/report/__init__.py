"""Words, figures and pages: rooms that are handed numbers and compute no features."""
