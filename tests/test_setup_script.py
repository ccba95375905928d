"""tools/setup.sh where something cannot be reached, with a Python that only remembers what it was asked for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PYTHON = """#!/usr/bin/env bash
case "$1 $2 $3" in
"-m venv --clear") mkdir -p .venv/bin && cp "$0" .venv/bin/python && printf '#!/bin/sh\\necho 0' >.venv/bin/sdv2-live &&
    chmod +x .venv/bin/sdv2-live ;;
"-m pip install")
    echo "$*" >>asked
    case "$*" in *--dry-run*) exit 1 ;; *"$REFUSED"*) echo "no route to host" >&2 && exit 1 ;; *torch==*) touch torch ;; esac ;;
"- cpu "*) cat >/dev/null && [ -e torch ] ;;
*) : ;;
esac
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a script stands in for Python")


def set_up(folder: Path, refused: str, **environment: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run it in a tree of its own, where pip fails whenever it is asked for `refused`; what pip was asked for."""
    (folder / "tools").mkdir()
    shutil.copy(ROOT / "tools/setup.sh", folder / "tools")
    shutil.copy(ROOT / "pyproject.toml", folder)
    python = folder / "standin"
    python.write_text(PYTHON)
    python.chmod(0o755)
    plain = {"PATH": "/usr/bin:/bin", "PYTHON": str(python), "REFUSED": refused}
    command = ["bash", str(folder / "tools/setup.sh")]
    done = subprocess.run(command, env=plain | environment, capture_output=True, text=True, check=False)
    asked = (folder / "asked").read_text().splitlines() if (folder / "asked").exists() else []
    return done, asked


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="it would take the CUDA build")
def test_pypis_build_is_taken_where_pytorchs_index_cannot_be_reached(tmp_path: Path) -> None:
    done, asked = set_up(tmp_path, CPU_INDEX)
    assert done.returncode == 0, done.stderr
    torch = [line for line in asked if "--force-reinstall" in line]
    assert [CPU_INDEX in line for line in torch] == [True, False]
    assert "PyPI's build is taken in its place: some 3 GB to fetch and 7 GB on the disk" in done.stdout
    assert "setup: ready" in done.stdout


@pytest.mark.parametrize(
    ("refused", "environment", "said"),
    [
        ("torch", {}, "PyTorch could not be installed, see pip's message above; check the network; behind a proxy"),
        (CPU_INDEX, {"TORCH_INDEX": CPU_INDEX}, "PyTorch could not be installed"),  # whoever names one means it
        ("--editable", {}, "the packages could not be installed, see pip's message above; check the network; behind a proxy"),
    ],
)
def test_every_failure_names_its_remedy(tmp_path: Path, refused: str, environment: dict[str, str], said: str) -> None:
    done, _ = set_up(tmp_path, refused, **environment)
    assert done.returncode == 1
    assert f"setup: {said}" in done.stderr


def test_an_older_pip_does_as_well(tmp_path: Path) -> None:
    done, _ = set_up(tmp_path, "--upgrade pip")
    assert done.returncode == 0, done.stderr
    assert "pip stays as it came with Python" in done.stdout
