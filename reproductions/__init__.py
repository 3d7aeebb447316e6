"""One module per paper; `python -m reproductions.NAME` prints its tables beside what was measured here."""
