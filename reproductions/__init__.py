"""One module per paper; `python -m reproductions.NAME` prints its tables beside what was measured here."""

from keras_art.version import check_environment

check_environment("reproductions")
