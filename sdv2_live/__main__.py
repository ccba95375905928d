"""`python -m sdv2_live` is `sdv2-live`."""

import sys

from sdv2_live.cli import main

sys.exit(main())
