"""Faults of the input: an NDI sender that stops, dies, changes or lies."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faults.bystanders import Camera
from faults.faultrig import Rig
from faults.injection import Fault

WHILE_S = 1.2  # longer than input.lost_s, its default
CHANGE_S = 0.4  # between two changes
SLOW_S = 1.5  # between the frames of a slow source


def changing(name: str, *changes: dict[str, Any], for_s: float = CHANGE_S, dark: bool = False) -> Fault:
    """The sender changes, and changes again, and is at last as it was."""

    def inject(rig: Rig) -> None:
        try:
            for change in changes:
                rig.camera.tell(**change)
                time.sleep(for_s)
        finally:
            rig.camera.tell()  # as at the start

    return Fault(f"input: {name}", inject, dark=dark)


def ending(name: str, number: signal.Signals, away_s: float) -> Fault:
    """The sender's process ends, and another takes its name."""

    def inject(rig: Rig) -> None:
        rig.camera.end(number)
        time.sleep(away_s)
        rig.camera.start()

    return Fault(f"input: {name}", inject)


def _like_named(rig: Rig) -> None:
    """Others come whose names begin like the sender's."""
    other = Camera(rig.camera.name + " 2")
    try:
        time.sleep(CHANGE_S)
    finally:
        other.end()


def _crowd(rig: Rig) -> None:
    crowd = Camera(rig.camera.name + " of many", 30)
    try:
        time.sleep(WHILE_S)
    finally:
        crowd.end()


def broken_file(name: str, breaks: Callable[[Path], None]) -> Fault:
    """The file that is shown breaks, and is there again."""

    def inject(rig: Rig) -> None:
        rig.set({"input_select": "backup"})
        try:
            time.sleep(CHANGE_S)
            breaks(rig.clip)
            time.sleep(WHILE_S)
            rig.write_clip(rig.clip)
            time.sleep(WHILE_S)
        finally:
            rig.set({"input_select": "auto"})

    return Fault(f"input: {name}", inject)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"no video")
    other.replace(path)


SIZES = ({"size": [48, 160]}, {"size": [128, 64]}, {"size": [240, 320]})
FORMATS = ({"format": "BGRX"}, {"format": "UYVY"}, {"format": "BGRX"})
RATES = ({"rate": 60}, {"rate": 15}, {"rate": 5})
STRANGE = ({"size": [1, 1], "format": "BGRX"}, {"size": [3, 5]}, {"size": [2, 1000]}, {"size": [500, 2]})

FAULTS = (
    changing("stops sending", {"send": False}, for_s=WHILE_S),
    ending("sender killed, back at once", signal.SIGKILL, 0.0),
    ending("sender killed, back later", signal.SIGKILL, WHILE_S),
    ending("sender ended and started again", signal.SIGTERM, 0.2),
    changing("changes size", *SIZES),
    changing("changes format", *FORMATS),
    changing("changes rate", *RATES),
    changing("goes black", {"picture": "black"}, for_s=WHILE_S, dark=True),
    changing("stands still", {"picture": "frozen"}, for_s=WHILE_S),
    changing("strange sizes (1x1, 3x5, 2x1000, 500x2)", *STRANGE),
    changing("a burst of 4K", {"size": [2160, 3840], "rate": 10}, for_s=WHILE_S),
    broken_file("its file is emptied, and written again", _empty),
    broken_file("its file is replaced by one that is no video", _replace),
    Fault("input: another sender of a like name", _like_named),
    Fault("input: thirty senders come and go", _crowd),
    changing("a frame in 1.5 s", {"every_s": SLOW_S}, for_s=2.5 * SLOW_S),
    changing("declares 90000 frames a second", {"declared": 90_000}, for_s=WHILE_S),
    changing("one frame in seven of another size", {"strays": 7}, for_s=WHILE_S),
)
