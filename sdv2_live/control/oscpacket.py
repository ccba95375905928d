"""OSC packets: bytes to messages and back, for input that may be broken or hostile.

python-osc reads the messages. Bundles are walked here, because one broken element shall cost only itself, and because a
negative element size or deep nesting must not catch the server (OSC 1.0 specification, "OSC Packets").
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pythonosc import osc_message, osc_message_builder
from pythonosc.parsing import osc_types

BUNDLE = b"#bundle\0"
MAX_DEPTH = 8  # bundles within bundles; real senders use one or two
MAX_MESSAGES = 500  # of a packet
IMMEDIATELY = 0.0

_NTP_TO_UNIX = 2_208_988_800  # seconds from 1900 to 1970
_TYPE_TAGS = re.compile(r",[ihfdsbrmtTFNI\[\]]*\Z")
_FLOAT32_EXACT = 2**24


@dataclass(frozen=True, slots=True)
class Message:
    """One OSC message: an address and its arguments as Python values."""

    address: str
    args: tuple[Any, ...] = ()
    size: int = field(default=0, compare=False, repr=False)  # bytes in its packet


@dataclass(slots=True)
class Packet:
    """What one packet held: messages by the Unix time at which their bundle wants them (IMMEDIATELY for at once), in order,
    and a sentence on each part that could not be read. `left_out`: messages beyond MAX_MESSAGES."""

    groups: dict[float, list[Message]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    left_out: int = 0
    read: int = 0


def read_packet(data: bytes) -> Packet:
    """Read a datagram. Never raises: what cannot be read is in `broken`, the rest is usable."""
    packet = Packet()
    _read_element(data, IMMEDIATELY, 0, packet)
    return packet


def encode(address: str, *args: Any) -> bytes:
    """One message. Integers beyond 32 bits travel as int64, floats as float32, bools as T/F.

    Raises pythonosc's BuildError for a value that OSC cannot carry.
    """
    return bytes(osc_message_builder.build_msg(address, list(args)).dgram)


def _read_element(data: bytes, due: float, depth: int, packet: Packet) -> None:
    if data.startswith(BUNDLE):
        if depth >= MAX_DEPTH:
            packet.broken.append(f"bundles nested deeper than {MAX_DEPTH}")
            return
        for element, time in _elements(data, packet):
            _read_element(element, time, depth + 1, packet)
        return
    if packet.read >= MAX_MESSAGES:
        packet.left_out += 1
        return
    packet.read += 1
    try:
        packet.groups.setdefault(due, []).append(_read_message(data))
    except (osc_message.ParseError, osc_types.ParseError, ValueError, OverflowError) as error:
        packet.broken.append(f"{_head(data)}: {error}")


def _elements(data: bytes, packet: Packet) -> Iterator[tuple[bytes, float]]:
    start = len(BUNDLE) + 8
    if len(data) < start:
        packet.broken.append("a bundle without a time tag")
        return
    due = _unix_time(int.from_bytes(data[len(BUNDLE) : start], "big"))
    while start < len(data):
        size = struct.unpack_from(">i", data, start)[0] if len(data) - start >= 4 else -1
        if not 0 < size <= len(data) - start - 4:
            packet.broken.append(f"a bundle element whose size does not fit the packet, at byte {start}")
            return
        yield data[start + 4 : start + 4 + size], due
        start += 4 + size


def _unix_time(tag: int) -> float:
    return IMMEDIATELY if tag <= 1 else tag / 2**32 - _NTP_TO_UNIX


def _read_message(data: bytes) -> Message:
    if not data.startswith(b"/"):
        raise ValueError("neither a message (an address begins with /) nor a bundle")
    address, index = osc_types.get_string(data, 0)
    if index < len(data):
        tags, _ = osc_types.get_string(data, index)
        if not _TYPE_TAGS.match(tags):
            raise ValueError(f"type tags {tags[:20]!r} are not known")
        if "I" in tags:  # an impulse, which fires triggers: to python-osc unknown, and without data just as true is
            data = data[:index] + tags.replace("I", "T").encode() + data[index + len(tags) :]
    return Message(address, tuple(osc_message.OscMessage(data).params), len(data))


def _head(data: bytes) -> str:
    return repr(data.split(b"\0", 1)[0][:60].decode("utf-8", "replace")) if data else "an empty packet"
