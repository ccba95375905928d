"""Setting up: which PyTorch is chosen, what happens where it cannot be had, and the scripts of both systems."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from support.places import ROOT
from support.systems import needs_bash

TOOLS = ROOT / "tools"

# nvidia-smi's table, in the words of its second line; and what it answers to --query-gpu=compute_cap.
TABLE = "| NVIDIA-SMI 580.88   Driver Version: 580.88   CUDA Version: {}     |"


@pytest.fixture(scope="module")
def setup() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sdv2_setup", TOOLS / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("newest", "capabilities", "cuda_13"),
    [
        ("13.0", "8.9\n", True),
        ("13.2", "12.0\n", True),
        ("12.8", "12.0\n", False),  # the driver cannot run it
        ("13.0", "6.1\n", False),  # PyTorch's build has no kernels for the card
        ("13.0", "8.9\n6.1\n", False),  # nor for one of two
        ("13.0", "7.5\r\n", True),
        ("N/A", "[N/A]\n", True),  # what is not said is taken as new
    ],
)
def test_the_generation_of_cuda_suits_driver_and_card(setup: ModuleType, newest: str, capabilities: str, cuda_13: bool) -> None:
    assert setup.read_card(TABLE.format(newest), capabilities).runs_cuda_13 is cuda_13


def places(setup: ModuleType, card: tuple[tuple[int, int], tuple[int, int]] | None, *rest: object) -> list[str | None]:
    return [source.index for source in setup.sources(setup.Card(*card) if card else None, *rest)]


def test_pytorch_comes_from_where_the_system_has_it_and_there_is_a_second_way(setup: ModuleType) -> None:
    own = setup.OWN_INDEX
    new, old = ((13, 0), (8, 9)), ((12, 6), (8, 6))
    assert places(setup, None, "Linux", None) == [own + "cpu", None]
    assert places(setup, None, "Linux", None, True) == [None]
    assert places(setup, None, "Darwin", None) == places(setup, None, "Windows", None) == [None]  # PyPI's is for the CPU there
    assert places(setup, new, "Linux", None) == [None, own + "cu130"]
    assert places(setup, old, "Linux", None) == [own + "cu126", None]
    assert places(setup, new, "Windows", None) == [own + "cu130", None]
    assert places(setup, old, "Windows", None) == [own + "cu126", None]
    for card in (None, new, old):
        assert places(setup, card, "Windows", "https://mirror/") == ["https://mirror/"]


def test_every_machine_gets_the_version_that_is_tested_unless_the_user_names_an_index(setup: ModuleType) -> None:
    assert f'ARG TORCH="{setup.TORCH}"' in (ROOT / "Dockerfile").read_text()
    cards = [None, setup.Card((13, 0), (8, 9)), setup.Card((12, 6), (8, 6))]
    of_all = [source for card in cards for system in ("Linux", "Windows") for source in setup.sources(card, system, None)]
    assert {source.wanted for source in of_all} == {setup.TORCH}
    assert [source.wanted for source in setup.sources(cards[1], "Linux", "https://mirror/")] == ["torch"]


@pytest.mark.parametrize("name", ["demo.cmd", "setup.cmd", "test.cmd"])
def test_the_scripts_for_windows_have_its_line_ends(name: str) -> None:
    held = (TOOLS / name).read_bytes()
    assert held.count(b"\r\n") == held.count(b"\n") > 2
    assert held.isascii()  # cmd reads them in the code page of the machine


def test_both_systems_have_the_same_scripts() -> None:
    for name in ("demo", "setup", "test"):
        assert (TOOLS / f"{name}.sh").exists()
        assert (TOOLS / f"{name}.cmd").exists()


# In place of .venv's Python and of the one that makes it: it writes down what pip is asked for, and fails where a test says so.
STAND_IN = """#!/bin/sh
case "$*" in
*"import json, torch"*) cat torch ;;
*"requires('torch')"*) echo 'triton==3.7.1; platform_system == "Linux"' ;;
"-m venv --clear "*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
*--dry-run*) exit 1 ;;
"-m pip"*) echo "$*" >>asked
    case "$*" in
    *"$REFUSED"*) echo "no route to host" >&2; exit 1 ;;
    *index-url*cu1*) echo '["2.13.0", "13.0"]' >torch ;;
    *torch*) [ -e torch ] || echo '["2.13.0", '"$PYPIS_CUDA]" >torch ;;
    esac ;;
*"import pip"*) [ -e asked ] ;;
esac
"""


class Rehearsal:
    """setup.py on another machine: what it says, what it asks pip for, and its exit status."""

    def __init__(self, setup: ModuleType, folder: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._setup, self._folder, self._capsys, self._patch = setup, folder, capsys, patch
        stand_in = folder / "stand-in"
        stand_in.write_text(STAND_IN)
        stand_in.chmod(0o755)
        (folder / "pyproject.toml").touch()
        for name, value in {"ROOT": folder, "VENV": folder / ".venv", "PYTHON": folder / ".venv/bin/python"}.items():
            patch.setattr(setup, name, value)
        patch.setattr(setup, "STAMP", folder / ".venv/stamp")
        patch.setattr(sys, "executable", str(stand_in))
        patch.delenv("TORCH_INDEX", raising=False)

    def __call__(self, card: object = None, system: str = "Linux", refused: str = "nothing", pypis_cuda: str = "null") -> int:
        self._patch.setattr(self._setup, "find_card", lambda: card)
        self._patch.setattr("platform.system", lambda: system)
        self._patch.setenv("REFUSED", refused)
        self._patch.setenv("PYPIS_CUDA", pypis_cuda)
        (self._folder / "asked").unlink(missing_ok=True)
        status: int = self._setup.main()
        self.said, self.complained = self._capsys.readouterr()
        return status

    @property
    def asked(self) -> list[str]:
        """Pip's arguments, one line a call."""
        path = self._folder / "asked"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def rehearse(setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Rehearsal:
    if sys.platform == "win32":
        pytest.skip("Windows runs no shell script, and one stands in for Python here")
    return Rehearsal(setup, tmp_path, monkeypatch, capsys)


def test_a_second_run_asks_for_nothing(rehearse: Rehearsal) -> None:
    assert rehearse() == 0
    assert "setup: ready" in rehearse.said
    assert rehearse() == 0
    assert (rehearse.said, rehearse.asked) == ("", [])


def test_pypis_build_is_taken_where_pytorchs_index_cannot_be_reached(rehearse: Rehearsal) -> None:
    assert rehearse(refused="whl/cpu") == 0
    torch = [line for line in rehearse.asked if "--force-reinstall" in line]
    assert ["whl/cpu" in line for line in torch] == [True, False]
    assert "PyPI's build is taken in its place: some 3 GB to fetch and 7 GB on the disk" in rehearse.said
    assert "setup: ready" in rehearse.said


def test_a_gpu_machine_gets_what_fits_it(setup: ModuleType, rehearse: Rehearsal) -> None:
    new = setup.Card((13, 0), (8, 9))
    assert rehearse(new, pypis_cuda='"13.0"') == 0
    assert ".[dev,cuda13]" in rehearse.asked[-1]
    assert not any("triton" in line for line in rehearse.asked)


def test_windows_gets_pytorch_from_its_own_index_and_the_triton_that_it_was_made_with(
    setup: ModuleType, rehearse: Rehearsal
) -> None:
    new = setup.Card((13, 0), (8, 9))
    assert rehearse(new, "Windows", refused="triton-windows") == 0  # which is no reason to stop
    assert any("whl/cu130" in line for line in rehearse.asked)
    assert any("triton-windows==3.7.*" in line for line in rehearse.asked)
    assert ".[dev,cuda13]" in rehearse.asked[-1]


def test_windows_without_pytorchs_index_begins_on_the_cpu_and_asks_again(setup: ModuleType, rehearse: Rehearsal) -> None:
    new = setup.Card((13, 0), (8, 9))
    assert rehearse(new, "Windows", refused="whl/cu130") == 0
    assert "runs on the CPU alone" in rehearse.said
    assert ".[dev]" in rehearse.asked[-1]
    assert rehearse(new, "Windows") == 0
    assert ".[dev,cuda13]" in rehearse.asked[-1]
    assert rehearse(new, "Windows") == 0
    assert rehearse.asked == []


@pytest.mark.parametrize(
    ("refused", "index", "said"),
    [
        ("torch", "", "PyTorch could not be installed"),
        ("whl/cpu", "https://download.pytorch.org/whl/cpu", "PyTorch could not be installed"),  # whoever names one means it
        ("--editable", "", "the packages could not be installed"),
    ],
)
def test_every_failure_names_its_remedy(
    rehearse: Rehearsal, monkeypatch: pytest.MonkeyPatch, refused: str, index: str, said: str
) -> None:
    monkeypatch.setenv("TORCH_INDEX", index)
    assert rehearse(refused=refused) == 1
    assert rehearse.complained.splitlines()[-1].startswith(f"setup: {said}")
    assert "check the network; behind a proxy set HTTPS_PROXY" in rehearse.complained


def test_an_older_pip_does_as_well(rehearse: Rehearsal) -> None:
    assert rehearse(refused="--upgrade pip") == 0
    assert "pip stays as it came with Python" in rehearse.said


@needs_bash
def test_no_python_that_fits_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    script = shutil.copy(TOOLS / "setup.sh", tmp_path / "tools")  # beside no .venv
    environment = os.environ | {"PYTHON": "/nowhere/python3"}
    result = subprocess.run(["bash", script], env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "Python 3.11 to 3.14 is needed (looked for /nowhere/python3)" in result.stderr
