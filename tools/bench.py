"""Measure the frame path: `python tools/bench.py --model tiny --device cpu --size 256x256`; see bench/main.py."""

import sys

from bench.main import main

if __name__ == "__main__":
    sys.exit(main())
