"""Answers to senders about their messages, and the log lines about them. No single sender uses up their limits."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Hashable, Sequence

from sdv2_live.control.osc.addresses import ROOT
from sdv2_live.control.osc.packet import encode
from sdv2_live.control.osc.subscriber import Peer
from sdv2_live.control.throttle import Repeats, Throttle, Throttles
from sdv2_live.wording import escaped

log = logging.getLogger("sdv2_live.osc")

ERROR = ROOT + "error"  # address, reason
WARNING = ROOT + "warning"  # address, what was clamped
REPEAT_S = 10.0  # between two lines of the log on the same address, whatever the numbers in it
_NUMBERS = re.compile(r"[0-9]+")


class Answers:
    """Sends and logs sentences. `also` gives the other ports at which a sender listens."""

    def __init__(self) -> None:
        self.also: Callable[[Peer], Sequence[Peer]] = lambda peer: ()
        self._lines = Throttle(rate=5, burst=20)
        self._repeats = Repeats(REPEAT_S)
        self._replies = Throttles(rate=20, burst=50)
        self._host_replies = Throttles(rate=100, burst=200)  # keeps the server from being used as a reflector

    def open_to(self, peer: Peer) -> bool:
        """True when a sentence to this peer would be sent now."""
        return self._replies.of(peer.origin).open and self._host_replies.of(peer.host).open

    def tell(self, peer: Peer, kind: str, address: str, reason: str) -> None:
        """Log a sentence about a message and send it back. kind: ERROR or WARNING."""
        alike = _NUMBERS.sub("0", address or reason)
        self._log((peer.host, kind, alike), f"{peer.host}:{peer.port} {escaped(address)}: {reason}")
        self.reply(peer, encode(kind, address[:200], reason[:500]))

    def reply(self, peer: Peer, answer: bytes, there: Sequence[Peer] = ()) -> None:
        """Send a message back to a sender, within the limits; to those in `there`, too, which are its own."""
        if self._replies.of(peer.origin).allow() and self._host_replies.of(peer.host).allow():
            for listening in (peer, *self.also(peer), *there):  # many programs send from one port and listen at another
                listening.send(answer)

    def warn(self, host: str, reason: str) -> None:
        """Log a sentence about a sender."""
        self._log((host, reason), f"{host} {reason}")

    def _log(self, kind: Hashable, sentence: str) -> None:
        repeated = self._repeats.due(kind)
        if repeated is not None and self._lines.allow():
            more = self._lines.take_suppressed()
            again = f" ({repeated} times more since the last line on it)" if repeated else ""
            log.warning("%s%s%s", sentence, again, f" ({more} more not shown)" if more else "")
