"""Faults of those who keep presets and timelines: saves without end, files that are none, editors amid their work."""

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


def _timelines(rig: Rig) -> None:
    """Recordings that begin and end all the time, names that lead elsewhere, and a broken file."""
    folder = rig.folder / "timeline"
    with suppress(FileExistsError):
        folder.mkdir()
    (folder / "wrong.yaml").write_text("events: [{at: 0, set: {sed: 1}}]")
    for moment in _moments(STORM_S):
        rig.desk.send("timeline/record", moment % 2 == 0)
        for name in ("wrong", "../presets/01-ink", "/etc/passwd", ".."):
            rig.desk.send("timeline/load", name)
            rig.desk.send("timeline/save", name)
    rig.desk.send("timeline/record", 0)
    rig.set(VALUES)
    eventually("it to be told", lambda: any("there is no parameter 'sed'" in line for line in rig.daemon.log))
    kept = [path for path in folder.iterdir() if path.name[0].isdigit()]
    assert len(kept) < 10, f"{len(kept)} recordings were saved"
    assert all(path.parent == folder for path in rig.folder.rglob("*.yaml") if "events:" in path.read_text())
    for path in folder.iterdir():
        path.unlink()


FAULTS = (
    Fault("presets: saves and reloads without end", _saves_and_reloads),
    Fault("presets: large files that are none", _large_file),
    Fault("timelines: recordings without end, and names that lead elsewhere", _timelines),
    Fault("presets: an editor replaces a file all the time", _editors),
)
