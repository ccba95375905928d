"""Play a show at random for a long time: `python tools/soak.py --minutes 30`; see bench/soak.py."""

import sys

from bench.soak import main

if __name__ == "__main__":
    sys.exit(main())
