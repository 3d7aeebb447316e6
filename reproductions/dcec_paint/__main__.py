"""The command line of dcec_paint."""

import sys

from reproductions.dcec_paint import REPRODUCTION

if __name__ == "__main__":
    sys.exit(REPRODUCTION.main())
