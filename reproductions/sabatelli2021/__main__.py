"""The command line of sabatelli2021."""

import sys

from reproductions.sabatelli2021 import REPRODUCTION

sys.exit(REPRODUCTION.main())
