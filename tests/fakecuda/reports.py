"""What scenarios on the simulated device have shown, played in a process of its own: it takes PyTorch's place there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support.places import ROOT, TESTS

from fakecuda import guard

# Where the program may wait outside of a set-up. Each of these waits sleeps, but where it says spinning.
ANNOUNCED = {
    ("event.synchronize, asleep", "gpu/lanes.py"): "the device thread waits for a chunk's last stage",
    ("event.synchronize, asleep", "gpu/staging.py"): "the device thread waits for a chunk's pictures",
    ("event.synchronize, asleep", "engine/transfer.py"): "a chunk's noise follows its motion",
    ("event.synchronize, asleep", "model/text/low_priority.py"): "the text encoder's thread waits for an embedding",
    ("copy to the device from ordinary memory", "model/text/umt5.py"): "the text encoder's thread places a prompt's words",
    ("_local_scalar_dense", "model/text/umt5.py"): "the text encoder's thread looks at a mask",
}
ENCODER = "model/text/"  # it works on a thread of its own, where a new shape costs nobody a frame


class Report:
    """What one scenario has shown."""

    def __init__(self, found: dict[str, Any]) -> None:
        self._found = found
        self.kernels: dict[str, str] = found["kernels"]
        self.reserved: list[int] = found["reserved"]
        self.launches: list[dict[str, Any]] = found["launches"]

    def faults(self, phases: str = "") -> list[str]:
        """Races, and memory freed too early, in the phases whose names begin so."""
        return [f"{fault['phase']}: {fault['what']}" for fault in self._found["faults"] if fault["phase"].startswith(phases)]

    def said(self, kind: str) -> list[dict[str, Any]]:
        """What was noted of a kind."""
        return [note for note in self._found["notes"] if note["kind"] == kind]

    @property
    def waits(self) -> list[str]:
        """Waits outside of set-ups that nobody has announced."""
        waits = [note for note in self.said("wait") if not note["setting_up"]]
        return [_line(note) for note in waits if (note["what"], note["where"].partition(":")[0]) not in ANNOUNCED]

    @property
    def forbidden(self) -> list[str]:
        """What was done in a capture and must not be."""
        return [_line(note) for note in self.said("forbidden")]

    @property
    def new(self) -> list[str]:
        """Kernels, products, convolutions and attention that the frame path met for the first time in mid-show."""
        new = [note for note in self._found["met"] if not note["setting_up"]]
        return [_line(note) for note in new if not note["where"].startswith(ENCODER)]

    @property
    def captured_on_stage(self) -> list[str]:
        """Captures outside of set-ups."""
        return [_line(note) for note in self.said("capture") if not note["setting_up"]]


def assert_clean(report: Report) -> None:
    """No race, nothing freed too early, no wait but the announced ones, nothing forbidden in a capture, nothing met on stage."""
    assert not report.faults()
    assert not report.waits
    assert not report.forbidden
    assert not report.captured_on_stage
    assert not report.new


def _line(note: dict[str, Any]) -> str:
    return f"{note['phase']}: {note['what']} at {note['where']}"


def play(names: Sequence[str], folder: Path) -> dict[str, Report]:
    """Play scenarios. Skips the tests where no compiler is."""
    if guard.compiler() is None:
        pytest.skip("the simulated CUDA device needs a C++ compiler for its few lines of C++: install g++")
    target = folder / "reports.json"
    path = os.pathsep.join([str(ROOT), str(TESTS), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, str(TESTS / "fakecuda" / "play.py"), str(target), *names]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-8000:]
    return {name: Report(found) for name, found in json.loads(target.read_text(encoding="utf-8")).items()}
