"""The command line of sabatelli2021."""

import sys

from reproductions.sabatelli2021 import main

sys.exit(main())
