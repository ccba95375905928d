"""The loop that joins a Link session and the daemon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sdv2_live.closing import Closing
from sdv2_live.control.osc.addresses import ROOT
from sdv2_live.control.osc.client import DaemonClient
from sdv2_live.control.osc.news import LEAD
from sdv2_live.link.session import Session
from sdv2_live.music.news import tell
from sdv2_live.music.tempo import BPM_MAX, BPM_MIN, Tempo
from sdv2_live.system.clock import monotonic

SEND_S = 0.05  # between two messages
_BEATS_PER_BAR = ROOT + "tempo/beats_per_bar"


class LinkBridge(Closing):
    """Tells the daemon at `host`:`port` of the session's beat, and has the session do what the daemon says: beats per bar, tempo.

    Raises:
        LinkError: the library is not there.
        ConfigError: `host` is no address.
    """

    def __init__(self, host: str, port: int, tempo: Tempo, beats_per_bar: int = 4) -> None:
        self.session = Session(tempo, beats_per_bar)
        self._wanted: dict[str, float] = {}  # by address: what the daemon has said last, and was not done yet
        self._daemon = DaemonClient(host, port, self._heard)

    def run(self, stopped: Callable[[float], bool], told: Callable[[float, int], None] = lambda bpm, peers: None) -> None:
        """Tell of the beat until `stopped(seconds)` is true, which waits so long.

        Args:
            told: called with the tempo in bpm, to 0.1, and the number of peers, when one of them is another.
        """
        said = (0.0, -1)
        while not stopped(SEND_S):
            self._daemon.tick(monotonic())
            if (quantum := self._wanted.pop(_BEATS_PER_BAR, None)) is not None:
                self.session.quantum = quantum
            if (bpm := self._wanted.pop(LEAD, None)) is not None:
                self.session.lead(bpm)
            tempo = self.session.tempo()
            if said != (now := (round(tempo.bpm, 1), self.session.peers)):
                said = now
                told(*now)
            self._daemon.send(ROOT + "tempo/clock", tell("link", tempo, tempo.t0_ns, self.session.peers))

    def close(self) -> None:
        """Leave the session. Idempotent."""
        self.session.leave()
        self._daemon.close()

    def _heard(self, address: str, args: tuple[Any, ...]) -> None:
        """Take a message of the daemon; the client's thread."""
        within = {LEAD: (BPM_MIN, BPM_MAX), _BEATS_PER_BAR: (1, 16)}.get(address)
        value = args[0] if args else None
        if within is not None and isinstance(value, int | float) and within[0] <= value <= within[1]:
            self._wanted[address] = float(value)
