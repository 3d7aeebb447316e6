"""The command line of multitask."""

import sys

from reproductions.multitask import REPRODUCTION

sys.exit(REPRODUCTION.main())
