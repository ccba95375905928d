"""What a packet of a light desk says, whatever its protocol."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

SLOTS = 512  # levels of a universe
NORMAL_PRIORITY = 100  # of a source that says none


class Protocol(Enum):
    """A protocol that carries DMX over a network."""

    ARTNET = "Art-Net"
    SACN = "sACN"


@dataclass(frozen=True, slots=True)
class Levels:
    """Levels of a universe, from its first slot on.

    Attributes:
        identity: what tells the source from others of the protocol; empty where only its address does.
        name: the source's own, may be empty.
        universe: as numbered by the protocol.
        priority: 0..200.
        sequence: 0..255, ascending; None where the source does not count.
        levels: at most SLOTS bytes. Slots beyond its end are not spoken of.
        ended: the source says that this was its last packet; there are no levels then.
    """

    protocol: Protocol
    universe: int
    levels: bytes
    sequence: int | None = None
    priority: int = NORMAL_PRIORITY
    identity: bytes = b""
    name: str = ""
    ended: bool = False


def text(field: bytes) -> str:
    """The text in a field that is filled up with zeros, without what cannot be shown."""
    return "".join(char for char in field.partition(b"\0")[0].decode("utf-8", "replace") if char.isprintable())
