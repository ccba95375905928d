"""Detection of other shows among the senders, whose messages may be this show's own coming back.

They are recognised by their status, which no other program sends. Another show sends a recalled preset value by value too, so
the preset's name is ignored. So is its tempo while this show follows a source itself, for it may do no more. A trigger that was
fired here a moment ago is not fired again because another show passes it on, by any route.
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
    """The other shows that send here. All methods but `changed` belong to the server's thread.

    led: true while another program leads the tempo.
    """

    def __init__(self, clock: Callable[[], float] = monotonic, led: Callable[[], bool] = lambda: False) -> None:
        self._clock = clock
        self._led = led
        self._shows: OrderedDict[Peer, float] = OrderedDict()
        self._fired: dict[str, tuple[str, float]] = {}

    def heard(self, peer: Peer) -> None:
        """Note a message of `peer` that only shows send."""
        self._shows[peer] = self._clock()
        self._shows.move_to_end(peer)
        if len(self._shows) > MAX_SHOWS:
            self._shows.popitem(last=False)

    def changed(self, change: Change) -> None:
        """Note fired triggers, as a listener of the store; any thread."""
        for name in change.values:
            if PARAMS[name].kind is Kind.TRIGGER:
                self._fired[name] = (change.origin, self._clock())

    def passes_on(self, peer: Peer, asked: Setting) -> bool:
        """True when `peer` only passes on a message that it received itself, or sends in another form too."""
        preset = PARAMS[asked.name].kind is Kind.PRESET
        if preset and asked.value == "":  # as a show says that knows of none, before anything else of itself
            return True
        now = self._clock()
        if now - self._shows.get(peer, float("-inf")) > SILENT_S:
            return False
        origin, at = self._fired.get(asked.name, ("", float("-inf")))
        followed = asked.name == "tempo/bpm" and self._led()
        return preset or followed or (origin != peer.origin and now - at < ECHO_S)
