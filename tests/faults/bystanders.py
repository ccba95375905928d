"""Who stands before and behind the daemon: senders that do what they are told, and receivers that write down what they see.

Each is a process of its own, so that neither waits for the other, nor for the test.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from support.waiting import eventually

HERE = Path(__file__).parent
FAR_S = 90.0  # deadline of a recovery; a machine in use loads the models in 5 to 20 s


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame as a receiver saw it: nanoseconds of arrival, seconds at its sending, mean 0..255, size, frame time in s."""

    arrived: int
    taken: float
    mean: float
    size: tuple[int, int]
    frame_s: float


@dataclass(frozen=True, slots=True)
class Gap:
    """Between two frames that follow each other; nanoseconds. frames: its length in frame times, by arrival and by sending."""

    begin: int
    end: int
    frames: float
    sent_frames: float


class Recorder:
    """What an independent client sees of a source, from the first frame on."""

    def __init__(self, name: str) -> None:
        self.seen: list[Seen] = []
        full = f"{socket.gethostname().upper()} ({name})"
        self.process = subprocess.Popen([sys.executable, str(HERE / "recorder.py"), full], stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not line.endswith("\n"):
                return  # it was killed in the midst of a line
            arrived, taken, mean, height, width, frame_s = line.split()
            self.seen.append(Seen(int(arrived), float(taken), float(mean), (int(height), int(width)), float(frame_s)))

    def ready(self) -> Self:
        eventually("pictures at the recorder", lambda: len(self.seen) > 5, FAR_S)
        return self

    def between(self, begin: int, end: int) -> list[Seen]:
        """Frames that came in this time, with the one before and the one after."""
        seen = list(self.seen)
        inside = [i for i, one in enumerate(seen) if begin <= one.arrived <= end]
        if not inside:
            return seen[-1:]
        return seen[max(inside[0] - 1, 0) : inside[-1] + 2]

    def gaps(self, begin: int, end: int) -> list[Gap]:
        """Between all frames of this time; where the rate has just changed, in the longer of the two frame times."""
        seen = self.between(begin, end)
        return [
            Gap(
                a.arrived,
                b.arrived,
                (b.arrived - a.arrived) / 1e9 / max(a.frame_s, b.frame_s),
                (b.taken - a.taken) / max(a.frame_s, b.frame_s),
            )
            for a, b in pairwise(seen)
        ]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class Camera:
    """An NDI source that does what it is told."""

    def __init__(self, name: str, count: int = 1) -> None:
        self.name = name
        self._count = count
        self._told: dict[str, Any] = {}
        self.start()

    def start(self) -> None:
        """Again, under the same name, sending what was told last."""
        command = [sys.executable, str(HERE / "camera.py"), self.name, str(self._count)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        self.tell(**self._told)

    def tell(self, **changes: Any) -> None:
        """Have it change, see camera.py; without `changes`, be as at the start."""
        self._told = self._told | changes if changes else {}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(changes) + "\n")
        self.process.stdin.flush()

    def end(self, number: signal.Signals | None = None) -> None:
        """By a signal, or at once."""
        self.process.kill() if number is None else self.process.send_signal(number)
        self.process.communicate()
