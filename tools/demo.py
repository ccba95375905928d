"""See sdv2-live at work on this machine: `python tools/demo.py [--seconds N]`; see demo/main.py."""

import sys

from demo.main import main

if __name__ == "__main__":
    sys.exit(main())
