"""Other shows among the senders: what comes from them is the doing of a hand elsewhere, and may be this show's own come back.

They are known by their status, which nobody else sends. What a show tells of a recalled preset it also tells value by value, so
its name is not taken. A trigger that was fired here a moment ago is not fired again because another show passes it on, by
whatever way it went round.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from sdv2_live.control.osc.addresses import Setting
from sdv2_live.control.osc.subscriber import Peer
from sdv2_live.control.params import PARAMS, Kind
from sdv2_live.control.store import Change
from sdv2_live.system.clock import monotonic

MAX_SHOWS = 64
SILENT_S = 10.0  # a status comes twice a second
ECHO_S = 0.5  # longer than a message takes through a few shows, shorter than the same cue comes twice


class Links:
    """Belongs to the server's thread, but for `changed`."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._shows: OrderedDict[Peer, float] = OrderedDict()
        self._fired: dict[str, tuple[str, float]] = {}

    def heard(self, peer: Peer) -> None:
        """Note that `peer` has sent what only shows send."""
        self._shows[peer] = self._clock()
        self._shows.move_to_end(peer)
        if len(self._shows) > MAX_SHOWS:
            self._shows.popitem(last=False)

    def changed(self, change: Change) -> None:
        """Listener of the store; any thread."""
        for name in change.values:
            if PARAMS[name].kind is Kind.TRIGGER:
                self._fired[name] = (change.origin, self._clock())

    def passes_on(self, peer: Peer, asked: Setting) -> bool:
        """Whether what `peer` asks of a parameter is only what it was told itself, or tells in another way."""
        preset = PARAMS[asked.name].kind is Kind.PRESET
        if preset and asked.value == "":  # as a show says that knows of none, before anything else of itself
            return True
        now = self._clock()
        if now - self._shows.get(peer, float("-inf")) > SILENT_S:
            return False
        origin, at = self._fired.get(asked.name, ("", float("-inf")))
        return preset or (origin != peer.origin and now - at < ECHO_S)
