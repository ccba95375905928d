"""A fair queue: a limit on waiting packets, and the choice of the sender to read next. A flood costs little, and only its sender.

Of one sender's fader messages that wait together, only the last one of an address counts. Packets are read in the order of
arrival until one sender has used more work than another: floods and expensive packets delay only their own sender.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from sdv2_live.control.names import TABLE, ParamNames
from sdv2_live.control.osc.addresses import ROOT
from sdv2_live.control.osc.message import Message
from sdv2_live.control.osc.subscriber import Peer
from sdv2_live.stats import Fill
from sdv2_live.system.clock import monotonic_ns

MAX_BYTES = 1 << 20  # that a sender may have waiting while no other one has
OVERHEAD = 400  # bytes that a packet that waits, or a message that has been read, takes besides its own

EVEN = 100  # messages by which one sender may be ahead of another before that one is read first

Item = bytes | list[Message]  # a packet, or the messages of a bundle whose time has come


def faders_of(names: ParamNames) -> frozenset[bytes]:
    """The addresses of which only the last value counts."""
    moving = (name for name in names if (spec := names.find(name)) and spec.continuous)
    return frozenset(f"{ROOT}{name}{form}".encode() for name in moving for form in ("", "/norm", "/midi"))


FADERS = faders_of(TABLE)


class Room:
    """A limit on memory, shared evenly: `most` bytes among the hosts that hold any, and a host's part among its senders."""

    def __init__(self, most: int = MAX_BYTES) -> None:
        self._most = most
        self._held: dict[str, dict[Peer, int]] = {}

    def take(self, peer: Peer, size: int) -> bool:
        """Reserve `size` more bytes for a sender. Returns False if that is beyond its share."""
        held = self._held.get(peer.host, {})
        own = held.get(peer, 0)
        hosts, senders = len(self._held) + (not held), len(held) + (not own)
        if own + size > self._most // hosts // senders:
            return False
        self._held[peer.host] = held
        held[peer] = own + size
        return True

    def give_back(self, peer: Peer, size: int) -> None:
        """Free `size` bytes of those that a sender took."""
        held = self._held[peer.host]
        held[peer] -= size
        if not held[peer]:
            del held[peer]
        if not held:
            del self._held[peer.host]

    @property
    def fill(self) -> Fill:
        """The bytes of the sender that holds the most. Any thread."""
        return Fill(max((size for held in list(self._held.values()) for size in list(held.values())), default=0), self._most)


class Turn(NamedTuple):
    """An item to read now, its sender, and when it came: of a bundle, when it fell due."""

    peer: Peer
    item: Item
    arrived_ns: int


class _Waiting(NamedTuple):
    item: Item
    size: int  # of the room that it takes
    arrived_ns: int


@dataclass(slots=True)
class _Line:
    """One sender's waiting items, and the work done for it since it last had none."""

    items: OrderedDict[tuple[bytes, int], _Waiting] = field(default_factory=OrderedDict)
    others: int = 0  # what is no fader message and came before the next item
    done: int = 0


class Turns:
    """The packets and due bundles that wait to be read. All methods belong to the server's thread."""

    def __init__(self, faders: Collection[bytes] = FADERS) -> None:
        self._faders = faders
        self._lines: dict[Peer, _Line] = {}
        self._done: dict[str, int] = {}  # as of a line, of each host's
        self.room = Room()
        self.ahead = Room()  # of bundles whose time has not come
        self.coalesced = 0  # packets that a later one replaced

    def add(self, peer: Peer, packet: bytes) -> bool:
        """Queue a packet. Returns False if too much of its sender waits already.

        Packets keep their order: a fader's value is replaced only if no other message (a trigger, a preset, a bundle) has come
        since.
        """
        size = len(packet) + OVERHEAD
        if not self.room.take(peer, size):
            return False
        line = self._line(peer)
        address = packet[: packet.find(b"\0")]
        if address not in self._faders:
            self._append(line, packet, size, monotonic_ns())
            return True
        replaced = line.items.pop((address, line.others), None)
        if replaced is not None:
            self.coalesced += 1
            self.room.give_back(peer, replaced.size)
        line.items[address, line.others] = _Waiting(packet, size, monotonic_ns())
        return True

    def add_due(self, peer: Peer, messages: list[Message], size: int, due_ns: int) -> None:
        """Queue the messages of a bundle whose time has come. `size` bytes were taken of `ahead`; `next` gives them back."""
        self._append(self._line(peer), messages, size, due_ns)

    def waits(self, peer: Peer) -> bool:
        """True while anything of a sender waits."""
        return peer in self._lines

    def next(self) -> Turn | None:
        """The next item to read. None when nothing waits.

        Packets are read in the order of arrival. A host waits while it is EVEN messages of work ahead of another; likewise a
        sender among those of its host.
        """
        if not self._lines:
            return None
        peer = min(self._lines, key=self._claim)
        line = self._lines[peer]
        _, (item, size, arrived_ns) = line.items.popitem(last=False)
        if not line.items:
            del self._lines[peer]
            if not any(other.host == peer.host for other in self._lines):
                del self._done[peer.host]
        (self.room if isinstance(item, bytes) else self.ahead).give_back(peer, size)
        return Turn(peer, item, arrived_ns)

    def did(self, peer: Peer, work: int) -> None:
        """Charge a sender for work, in messages."""
        if peer.host in self._done:
            self._done[peer.host] += work
        if peer in self._lines:
            self._lines[peer].done += work

    def _claim(self, peer: Peer) -> tuple[int, int, int]:
        line = self._lines[peer]
        return self._done[peer.host] // EVEN, line.done // EVEN, next(iter(line.items.values())).arrived_ns

    def _line(self, peer: Peer) -> _Line:
        """The sender's line. A new one starts level with the least charged of the others: it has no claim to earlier work."""
        line = self._lines.get(peer)
        if line is None:
            self._done.setdefault(peer.host, min(self._done.values(), default=0))
            beside = (other.done for one, other in self._lines.items() if one.host == peer.host)
            line = self._lines[peer] = _Line(done=min(beside, default=0))
        return line

    def _append(self, line: _Line, item: Item, size: int, arrived_ns: int) -> None:
        line.others += 1
        line.items[b"", line.others] = _Waiting(item, size, arrived_ns)
