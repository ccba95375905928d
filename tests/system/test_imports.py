"""What the show's own process loads as it runs; which room may import which is in pyproject.toml, for `lint-imports`."""

from __future__ import annotations

import subprocess
import sys


def test_the_show_itself_needs_no_torch() -> None:
    """Else a second copy of it would sit in memory, and the first picture would wait for its import."""
    code = "import sys, sdv2_live.show.show; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
