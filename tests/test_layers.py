"""Who may import whom: control and I/O know nothing of the models, the models nothing of either, control nothing of torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "sdv2_live"
BUILDERS = ("sdv2_live.app", "sdv2_live.bringup", "sdv2_live.worker")
FORBIDDEN = {
    "control": ("torch", "sdv2_live.model", "sdv2_live.engine", "sdv2_live.gpu", "sdv2_live.loop", *BUILDERS),
    "io": (
        "torch",
        "sdv2_live.model",
        "sdv2_live.engine",
        "sdv2_live.gpu",
        "sdv2_live.control",
        "sdv2_live.loop",
        *BUILDERS,
    ),
    "model": ("sdv2_live.control", "sdv2_live.io", "sdv2_live.engine", "sdv2_live.gpu", *BUILDERS),
    "engine": ("sdv2_live.control", "sdv2_live.io", "sdv2_live.gpu", *BUILDERS),
    "gpu": ("sdv2_live.control", "sdv2_live.io", "sdv2_live.model", "sdv2_live.engine", *BUILDERS),
    "midi": ("torch", "sdv2_live.model", "sdv2_live.engine", *BUILDERS),
}


def imports(file: Path) -> Iterator[str]:
    """Every module that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_a_layer_keeps_to_itself(layer: str) -> None:
    files = sorted((PACKAGE / layer).glob("**/*.py"))
    assert files
    wrong = [
        f"{file.name} imports {module}"
        for file in files
        for module in imports(file)
        if any(module == name or module.startswith(f"{name}.") for name in FORBIDDEN[layer])
    ]
    assert wrong == []


def test_the_show_itself_needs_no_torch() -> None:
    """Else a second copy of it would sit in memory, and the first picture would wait for its import."""
    code = "import sys, sdv2_live.app; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
