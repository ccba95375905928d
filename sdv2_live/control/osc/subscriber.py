"""One subscriber of the OSC server: its waiting messages, and the values that it is known to hold.

A value is sent when the other end holds another one; the values it sent itself it holds. So a value that was accepted unchanged
does not go back, one that was clamped, rounded or given by name does, and programs that send each other everything fall silent
once they agree. Values that both ends sent at once have crossed on their way: the current value is then sent once more.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sdv2_live.control.osc.news import Args, Asked, Outbox

CROSSED_S = 1.0  # what comes so soon after another value was sent there may have been sent before that one arrived
REFUSES_S = 10.0  # a port that refuses for so long is nobody's: a program that starts anew takes less
REFUSED_AGAIN_S = 5.0  # a port that refuses does so at every message, and the status alone is two a second


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end: a UDP address or a TCP connection. `send` takes one packet and never blocks."""

    host: str
    port: int
    send: Callable[[bytes], None] = field(compare=False)
    tcp: bool = False

    @property
    def origin(self) -> str:
        """The name of this writer in the store's changes."""
        return f"osc {self.host}:{self.port}"


@dataclass(slots=True)
class _Known:
    """The known state of one address at the other end."""

    held: Args | None = None  # None: unknown
    said: Args | None = None  # what it sent since it was told something
    told: Args | None = None
    told_at: float = float("-inf")
    answered: Args | None = None  # what it had sent that `told` was the answer to


@dataclass(slots=True)
class Subscriber:
    """One subscription: its target, its owner and its waiting messages. Times are the event loop's, in seconds.

    owner: the peer that subscribed it; None: the configuration, so that it never ends.
    asks: what it wants to hear of beside all that everybody hears.
    """

    target: Peer
    owner: Peer | None
    heard: float  # when it last sent anything, or was subscribed
    echo: bool = False  # it wants to hear of its own changes, too
    asks: frozenset[Asked] = frozenset()
    pending: Outbox = field(default_factory=Outbox)
    origins: frozenset[str] = frozenset()  # how the store names the writers whose changes are its own
    confirming: set[str] = field(default_factory=set)  # addresses that a timer will have told again
    _own: set[str] = field(default_factory=set)  # pending for no other reason than what it sent itself
    _known: dict[str, _Known] = field(default_factory=dict)
    _refused: tuple[float, float] | None = None  # first and last time in a row

    @property
    def sources(self) -> set[Peer]:
        """The peers that its changes come from: the target and its owner."""
        return {self.target, self.owner} if self.owner else {self.target}

    def mark(self, address: str, *, own: bool = False) -> None:
        """Queue the value of an address, to be sent if the other end does not hold it by then. own: the subscriber changed it."""
        if not own:
            self._own.discard(address)
        elif address not in self.pending:
            self._own.add(address)
        self.pending.put(address)

    def tell(self, messages: Mapping[str, Args]) -> None:
        """Queue messages that it cannot hold already."""
        for address, args in messages.items():
            self.pending.put(address, args)

    def mark_again(self, address: str) -> None:
        """Queue the value of an address for confirmation, even if the other end seems to hold it."""
        self._known.setdefault(address, _Known()).held = None
        self.mark(address, own=True)

    def start_over(self) -> None:
        """Forget the values that the other end holds: its program may be a new one, at the same port."""
        for known in self._known.values():
            known.held = None

    def says(self, address: str, args: Args, now: float) -> bool:
        """Note a value that it has sent. Returns True when the current value must be confirmed once the sender pauses."""
        known = self._known.setdefault(address, _Known())
        known.held = known.said = wire(args)
        settled = known.held in (known.told, known.answered)
        return not settled and (self.echo or now - known.told_at < CROSSED_S)

    def owed(self, address: str, args: Args, now: float) -> bool:
        """True when this value must be sent now; it is then noted as sent."""
        own = address in self._own
        self._own.discard(address)
        known = self._known.setdefault(address, _Known())
        value = wire(args)
        insists = own and known.told == value and known.said is not None and known.said == known.answered
        if known.held == value or insists:  # who sends the same wrong value at every answer is answered once
            return False
        asked_for = known.held is None and not own and self.owner is not None  # all values, which it then has before it sends any
        known.answered = known.said if own else None
        known.held = known.told = value
        known.said, known.told_at = None, float("-inf") if asked_for else now
        return True

    def lives(self, now: float) -> None:
        """Note that it has sent a message."""
        self.heard = now
        self._refused = None

    def refuses(self, now: float) -> bool:
        """Note that its port has refused a message. Returns True when it has done so for long enough to end the subscription."""
        first, last = self._refused or (now, now)
        self._refused = (now if now - last > REFUSED_AGAIN_S else first, now)
        return now - self._refused[0] >= REFUSES_S

    @property
    def refused(self) -> bool:
        """True when its port has refused a message since the subscriber last sent one."""
        return self._refused is not None


def wire(args: Args) -> Args:
    """The arguments in the form in which they arrive: numbers in 32 bits, booleans as 1 and 0."""
    return tuple(_travelled(arg) for arg in args)


def _travelled(arg: Any) -> Any:
    if isinstance(arg, bool):
        return int(arg)
    try:
        return struct.unpack("f", struct.pack("f", arg))[0] if isinstance(arg, float) else arg
    except OverflowError:
        return arg
