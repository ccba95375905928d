"""The demo as a user starts it: real processes, real NDI, real files."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import uuid
from contextlib import suppress
from itertools import combinations
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from support.places import TOOLS
from support.systems import INTERRUPTIBLE, interrupt
from support.waiting import eventually

from sdv2_live.io.files.source import FileSource

pytestmark = pytest.mark.slow

DEMO = TOOLS / "demo.py"
LOOKS = ["Thermal camera", "Underwater", "Pencil sketch", "Golden hour", "Comic"]


class Running:
    """The demo under a name of its own, its output read as it comes."""

    def __init__(self, out: Path, *options: str) -> None:
        self.name = f"demo-{uuid.uuid4().hex[:8]}"
        command = [sys.executable, str(DEMO), "--name", self.name, "--out", str(out), *options]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", **INTERRUPTIBLE
        )
        self.said = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line

    def ended(self, timeout: float) -> int:
        """Its exit status; it is killed, and the test fails, when it takes longer."""
        try:
            return self.process.wait(timeout)
        finally:
            self.process.kill()
            self._reader.join()

    def relatives(self) -> list[str]:
        """Command lines of processes that carry the name."""
        lines = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):  # ended since, or another user's
                lines.append(" ".join(process.cmdline()))
        return [line for line in lines if self.name in line]


def test_the_demo_shows_five_looks_and_writes_them_down(tmp_path: Path) -> None:
    demo = Running(tmp_path, "--seconds", "12")
    assert demo.ended(180) == 0, demo.said
    assert demo.relatives() == []
    for part in (
        f"({demo.name} clip)",
        f"({demo.name})",
        "127.0.0.1:",
        "Open this address: http://127.0.0.1:",
        "Three more things to try",
        "oscsend ",
    ):
        assert part in demo.said
    for look in LOOKS:
        assert re.search(rf"^{look} +\| in .* fps .*latency .*skipped", demo.said, re.MULTILINE), demo.said
    assert "Traceback" not in (tmp_path / "demo.log").read_text(encoding="utf-8")
    _check_sheet(tmp_path / "demo.png")
    _check_video(tmp_path / "demo.mp4")


def _check_sheet(path: Path) -> None:
    """Five columns as `contact_sheet` lays them out: 640x360 above, 336x192 below."""
    sheet = np.asarray(Image.open(path).convert("RGB"), np.float32)
    assert sheet.shape[1] == 1600
    inputs = [sheet[20:186, 20 + 316 * i : 316 * (i + 1)] for i in range(5)]
    outputs = [sheet[194:363, 20 + 316 * i : 316 * (i + 1)] for i in range(5)]
    for picture in inputs + outputs:
        assert picture.std() > 10
        assert 10 < picture.mean() < 245
    # A look must show more than the clip's own movement does.
    pairs = list(combinations(range(5), 2))
    moved = np.median([np.abs(inputs[a] - inputs[b]).mean() for a, b in pairs])
    restyled = np.median([np.abs(outputs[a] - outputs[b]).mean() for a, b in pairs])
    assert restyled > moved


def _check_video(path: Path) -> None:
    frames = []
    with FileSource(path, realtime=False, loop=False) as source:
        while (frame := source.read(0)) is not None:
            frames.append(frame.data.astype(np.float32))
    assert len(frames) > 12 * 30 / 3, "most of it was lost"
    assert all(picture.std() > 10 for picture in frames[::15])
    assert any(np.abs(a - b).mean() > 1 for a, b in zip(frames, frames[30:], strict=False)), "it stands still"


def test_ctrl_c_ends_it_with_all_its_processes(tmp_path: Path) -> None:
    demo = Running(tmp_path)
    try:
        eventually("the demo to have started", lambda: "Three things" in demo.said or demo.process.poll() is not None, 90)
        interrupt(demo.process)
    finally:
        status = demo.ended(60)
    assert status == 0, demo.said
    assert "stopped" in demo.said
    assert demo.relatives() == []


def test_it_says_why_it_cannot_start(tmp_path: Path) -> None:
    demo = Running(tmp_path, "--name", " ")
    assert demo.ended(90) == 1
    assert "an NDI output needs a name" in demo.said
    assert "Traceback" not in demo.said
