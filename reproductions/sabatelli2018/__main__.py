"""The command line of sabatelli2018."""

import sys

from reproductions.sabatelli2018 import main

sys.exit(main())
