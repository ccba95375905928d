"""Where things are in the source tree."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "sdv2_live"
EXAMPLES = ROOT / "examples"
TOOLS = ROOT / "tools"
README = ROOT / "README.md"
MANUAL = PACKAGE / "manual"
TESTS = ROOT / "tests"
SUPPORT = TESTS / "support"
GOLDEN = TESTS / "golden"
