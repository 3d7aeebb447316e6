"""The command line of multitask."""

import sys

from reproductions.multitask import main

sys.exit(main())
