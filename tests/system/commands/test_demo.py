"""The demo as a user starts it: real processes, real NDI, real files."""

from __future__ import annotations

import os
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
from support.systems import INTERRUPTIBLE, interrupt, program
from support.waiting import eventually

from sdv2_live.demo.looks import LOOKS
from sdv2_live.demo.sheet import BACKGROUND
from sdv2_live.io.files.source import FileSource

pytestmark = pytest.mark.slow

DEMO = TOOLS / "demo.py"
SECONDS = 2 * len(LOOKS)


class Running:
    """The demo under a name of its own, its output read as it comes."""

    def __init__(self, out: Path, *options: str, environment: dict[str, str] | None = None) -> None:
        self.name = f"demo-{uuid.uuid4().hex[:8]}"
        command = [sys.executable, str(DEMO), "--name", self.name, "--out", str(out), *options]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env={**os.environ, **(environment or {})},
            **INTERRUPTIBLE,
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


def test_the_demo_shows_its_looks_beside_the_page_and_writes_them_down(tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    browser = program(tmp_path / "browser", f"import sys; open({str(opened)!r}, 'w').write(sys.argv[1])")
    desktop = {"DISPLAY": ":0", "BROWSER": str(browser)}
    demo = Running(tmp_path, "--seconds", str(SECONDS), "--open", environment=desktop)
    assert demo.ended(180) == 0, demo.said
    assert demo.relatives() == []
    for part in (
        f"({demo.name} clip)",
        f"({demo.name})",
        "127.0.0.1:",
        f"Open this address: {opened.read_text(encoding='utf-8')}\n",
        "Four more things to try",
        "oscsend ",
    ):
        assert part in demo.said
    for look in LOOKS:
        assert re.search(rf"^{look} +\| in .* fps .*latency .*skipped", demo.said, re.MULTILINE), demo.said
    assert "Traceback" not in (tmp_path / "demo.log").read_text(encoding="utf-8")
    _check_sheet(tmp_path / "demo.png")
    _check_video(tmp_path / "demo.mp4")


def _check_sheet(path: Path) -> None:
    """Bands of inputs above outputs, all of the clip's shape; captions are lower than any picture."""
    sheet = np.asarray(Image.open(path).convert("RGB"), np.float32)
    drawn = (sheet != BACKGROUND).any(2)
    rows = [[sheet[y, x] for x in _runs(drawn[y].any(0))] for y in _runs(drawn.any(1))]
    inputs, outputs = ([picture for row in rows[begin::2] for picture in row] for begin in (0, 1))
    assert len(inputs) == len(outputs) == len(LOOKS)
    for picture in inputs + outputs:
        assert picture.shape == inputs[0].shape
        assert picture.std() > 10
        assert 10 < picture.mean() < 245
    # A look must show more than the clip's own movement does.
    pairs = list(combinations(range(len(LOOKS)), 2))
    moved = np.median([np.abs(inputs[a] - inputs[b]).mean() for a, b in pairs])
    restyled = np.median([np.abs(outputs[a] - outputs[b]).mean() for a, b in pairs])
    assert restyled > moved


def _runs(flags: np.ndarray) -> list[slice]:
    """Where a hundred of them or more are True without a break."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False)).reshape(-1, 2)
    return [slice(begin, end) for begin, end in edges if end - begin >= 100]


def _check_video(path: Path) -> None:
    frames = []
    with FileSource(path, realtime=False, loop=False) as source:
        while (frame := source.read(0)) is not None:
            assert (frame.height, frame.width) == (360, 640), "not the clip's size"
            frames.append(frame.data.astype(np.float32))
    assert len(frames) > SECONDS * 30 / 3, "most of it was lost"
    assert all(picture.std() > 10 for picture in frames[::15])
    assert any(np.abs(a - b).mean() > 1 for a, b in zip(frames, frames[30:], strict=False)), "it stands still"


def test_ctrl_c_ends_it_with_all_its_processes(tmp_path: Path) -> None:
    demo = Running(tmp_path)
    try:
        eventually("the demo to have started", lambda: "more things" in demo.said or demo.process.poll() is not None, 90)
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
