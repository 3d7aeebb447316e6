"""The command line of sabatelli2018."""

import sys

from reproductions.sabatelli2018 import REPRODUCTION

if __name__ == "__main__":
    sys.exit(REPRODUCTION.main())
