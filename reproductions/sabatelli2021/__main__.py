"""The command line of sabatelli2021."""

import sys

from reproductions.sabatelli2021 import REPRODUCTION

if __name__ == "__main__":
    sys.exit(REPRODUCTION.main())
