"""Faults of those who keep presets: saves and reloads without end, a large file that is no preset, editors amid their work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

from support.waiting import eventually

from faults.faultrig import VALUES, Rig
from faults.injection import Fault

STORM_S = 1.0
PAIRS = 20  # of a save and a reload, every hundredth of a second


def _moments(seconds: float) -> Iterator[int]:
    end = time.monotonic() + seconds
    for number in count():
        if time.monotonic() >= end:
            return
        yield number
        time.sleep(0.01)


def _folder(rig: Rig) -> Path:
    return rig.folder / "presets"


def _saves_and_reloads(rig: Rig) -> None:
    """Hundreds of each; the performer's own values arrive meanwhile, and the folder does not fill up."""
    for moment in _moments(STORM_S):
        for number in range(PAIRS):
            rig.desk.send("preset/save", f"storm {moment} {number}")
            rig.desk.send("preset/reload")
    rig.set(VALUES)
    saved = list(_folder(rig).glob("*-storm-*.yaml"))
    assert len(saved) < 30, f"{len(saved)} presets were saved"
    for path in saved:
        path.unlink()


def _large_file(rig: Rig) -> None:
    """Files that are no presets: one too large to be one, one of some thousand mistakes."""
    large, wrong = _folder(rig) / "50-large.yaml", _folder(rig) / "51-wrong.yaml"
    lines = [f"  layer{number}_opacity: 0.5\n" for number in range(20_000)]
    large.write_text("params:\n" + "".join(lines))
    wrong.write_text("params:\n" + "".join(lines[:5000]))
    rig.desk.send("preset/reload")
    rig.set(VALUES)
    eventually("it to be told", lambda: any("there are more mistakes" in line for line in rig.daemon.log))
    for path in (large, wrong):
        path.unlink()


def _editors(rig: Rig) -> None:
    """A file is replaced all the time, as editors do it by a rename; it can be recalled throughout."""
    path, new = _folder(rig) / "60-edited.yaml", _folder(rig) / "zz-new.yaml"
    path.write_text("params: {noise_scale: 0.35}\n")
    rig.desk.send("preset/reload")
    for _ in _moments(STORM_S):
        new.write_text("params: {noise_scale: 0.35}\n")
        new.replace(path)
        rig.desk.send("preset", 60)
    rig.set(VALUES)
    assert not [line for line in rig.daemon.log if "60-edited" in line or "not a folder of presets" in line]
    with suppress(FileNotFoundError):
        path.unlink()


FAULTS = (
    Fault("presets: saves and reloads without end", _saves_and_reloads),
    Fault("presets: large files that are none", _large_file),
    Fault("presets: an editor replaces a file all the time", _editors),
)
