"""The command line of st_saclf."""

import sys

from reproductions.st_saclf import main

sys.exit(main())
