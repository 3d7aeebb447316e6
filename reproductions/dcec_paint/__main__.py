"""The command line of dcec_paint."""

import sys

from reproductions.dcec_paint import REPRODUCTION

sys.exit(REPRODUCTION.main())
