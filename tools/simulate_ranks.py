"""A ring of cards as a model: `python tools/simulate_ranks.py`; see simulate_ranks/main.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from simulate_ranks.main import main

if __name__ == "__main__":
    sys.exit(main())
