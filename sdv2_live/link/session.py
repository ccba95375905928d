"""A Link session, its beat on the program's own clock."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from sdv2_live.errors import LinkError
from sdv2_live.music.tempo import Tempo, bpm_within
from sdv2_live.system.clock import monotonic_ns

PACKAGE = "LinkPython-extern"
INSTALL = f"Ableton Link needs {PACKAGE}; install the extra: pip install 'sdv2-live[link]'"
MEASURE_NS = 1_000_000_000  # between two measurements of the difference of the clocks
READINGS = 5  # of both clocks; the one that took least time counts


def installed() -> str | None:
    """The version of the library, None where it is not installed. Loads nothing of it."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return None


class Session:
    """This machine's part in a Link session, from construction to `leave`. For one thread.

    It changes nobody's tempo but by `lead`.

    It is asked for its state again and again: the library's callbacks abort a process that ends (seen 5 times of 12).

    Args:
        tempo: the beat to begin with; others' takes its place, and their bar, as soon as they are found.
        quantum: beats per bar, which the session is in step by.

    Raises:
        LinkError: the library is not installed, or cannot be loaded.
    """

    def __init__(self, tempo: Tempo, quantum: float = 4.0) -> None:
        if installed() is None:
            raise LinkError(INSTALL)
        try:
            from link import Link  # an optional extra, and a compiled one
        except ImportError as error:
            raise LinkError(
                f"{PACKAGE} cannot be loaded ({error}); install it again: pip install --force-reinstall {PACKAGE}"
            ) from error
        self.quantum = quantum
        self._link: Any = Link(tempo.bpm)
        self._clock: Any = self._link.clock()
        self._offset_ns, self._measured_ns = 0, -MEASURE_NS
        now_ns = monotonic_ns()
        state = self._link.captureSessionState()
        state.requestBeatAtTime(tempo.beat(now_ns), self._micros(now_ns), quantum)  # alone: at once
        self._link.commitSessionState(state)
        self._link.enabled = True

    @property
    def peers(self) -> int:
        """Number of other programs in the session."""
        return int(self._link.numPeers())

    def tempo(self) -> Tempo:
        """The session's tempo, with its beat now."""
        now_ns = monotonic_ns()
        state = self._link.captureSessionState()
        return Tempo(now_ns, state.beatAtTime(self._micros(now_ns), self.quantum), bpm_within(state.tempo()))

    def lead(self, bpm: float) -> None:
        """Set the tempo of everybody in the session."""
        state = self._link.captureSessionState()
        state.setTempo(bpm, self._micros(monotonic_ns()))
        self._link.commitSessionState(state)

    def leave(self) -> None:
        """Leave the session."""
        self._link.enabled = False

    def _micros(self, at_ns: int) -> int:
        """A time on Link's clock, which on Linux is CLOCK_MONOTONIC_RAW: it goes slightly faster or slower than ours."""
        now_ns = monotonic_ns()
        if now_ns - self._measured_ns >= MEASURE_NS:
            self._offset_ns, self._measured_ns = min(self._read() for _ in range(READINGS))[1], now_ns
        return (at_ns + self._offset_ns) // 1000

    def _read(self) -> tuple[int, int]:
        """How long it took to read both clocks, and their difference, in nanoseconds."""
        before_ns = monotonic_ns()
        theirs_ns = self._clock.micros() * 1000
        after_ns = monotonic_ns()
        return after_ns - before_ns, theirs_ns - (before_ns + after_ns) // 2
