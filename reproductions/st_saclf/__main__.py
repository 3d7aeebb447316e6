"""The command line of st_saclf."""

import sys

from reproductions.st_saclf import REPRODUCTION

sys.exit(REPRODUCTION.main())
