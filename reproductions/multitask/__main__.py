"""The command line of multitask."""

import sys

from reproductions.multitask import REPRODUCTION

if __name__ == "__main__":
    sys.exit(REPRODUCTION.main())
