"""The command line of sabatelli2018."""

import sys

from reproductions.sabatelli2018 import REPRODUCTION

sys.exit(REPRODUCTION.main())
