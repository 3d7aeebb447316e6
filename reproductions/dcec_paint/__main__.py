"""The command line of dcec_paint."""

import sys

from reproductions.dcec_paint import main

sys.exit(main())
