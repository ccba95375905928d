"""Compare the engine with reference cases: `python tools/parity.py DIR [DIR...]`; see parity/main.py."""

import sys

from parity.main import main

if __name__ == "__main__":
    sys.exit(main())
