"""See sdv2-live at work on this machine: `python tools/demo.py [--seconds N]`; the same as `sdv2-live demo`."""

import sys
from pathlib import Path

from sdv2_live.cli import main

if __name__ == "__main__":
    sys.exit(main(["demo", "--out", str(Path(__file__).resolve().parents[1] / "out"), *sys.argv[1:]]))
