"""Another program in an Ableton Link session, in a process of its own."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection

from sdv2_live.system.clock import monotonic_ns
from support.waiting import eventually

OLDER_NS = 1_500_000_000


def _other(pipe: Connection, bpm: float) -> None:
    """Another program of a session; it answers each message with its tempo, place in the bar, peers, and the time of these."""
    from link import Link

    link = Link(bpm)
    link.enabled = True
    while (wanted := pipe.recv()) is not None:
        state = link.captureSessionState()
        if wanted:
            state.setTempo(wanted, link.clock().micros())
            link.commitSessionState(state)
        before, micros, after = monotonic_ns(), link.clock().micros(), monotonic_ns()
        pipe.send((state.tempo(), state.phaseAtTime(micros, 4.0), link.numPeers(), (before + after) // 2))
    link.enabled = False


class Other:
    """That program, seen from here."""

    def __init__(self, bpm: float) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("spawn").Process(target=_other, args=(theirs, bpm), daemon=True)
        self.process.start()
        self.ask()
        since_ns = monotonic_ns()  # of two sessions that meet, the older stays, if it is older by half a second
        eventually("a session that is the older one", lambda: monotonic_ns() - since_ns > OLDER_NS)

    @property
    def pid(self) -> int:
        return self.process.pid or 0

    def ask(self, bpm: float = 0.0) -> tuple[float, float, int, int]:
        self._pipe.send(bpm)
        answer: tuple[float, float, int, int] = self._pipe.recv()
        return answer

    def close(self) -> None:
        self._pipe.send(None)
        self.process.join(10)
