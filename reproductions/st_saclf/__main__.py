"""The command line of st_saclf."""

import sys

from reproductions.st_saclf import REPRODUCTION

if __name__ == "__main__":
    sys.exit(REPRODUCTION.main())
