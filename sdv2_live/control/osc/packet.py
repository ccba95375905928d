"""OSC packets: bytes to messages and back, for input that may be broken or hostile.

A broken element of a bundle costs only itself. Negative element sizes and deep nesting do no harm (OSC 1.0 specification, "OSC
Packets").
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pythonosc import osc_message_builder

from sdv2_live.control.osc.message import Message, UnreadableError, read_message

BUNDLE = b"#bundle\0"
MAX_DEPTH = 8  # bundles within bundles; real senders use one or two
MAX_MESSAGES = 200  # of a packet: several times as many as there are parameters
IMMEDIATELY = 0.0

_NTP_TO_UNIX = 2_208_988_800  # seconds from 1900 to 1970


@dataclass(slots=True)
class Packet:
    """The content of one packet.

    Attributes:
        groups: messages in order, by the Unix time of their bundle's time tag (IMMEDIATELY for at once).
        broken: the error of each unreadable part.
        left_out: number of messages and broken parts beyond MAX_MESSAGES.
        read: number of messages and broken parts that were read.
    """

    groups: dict[float, list[Message]] = field(default_factory=dict)
    broken: list[UnreadableError] = field(default_factory=list)
    left_out: int = 0
    read: int = 0

    def takes_more(self) -> bool:
        """Count one more part: as read, or as left out when the packet is full. Returns True when it may be read."""
        full = self.read >= MAX_MESSAGES
        self.left_out += full
        self.read += not full
        return not full

    def cannot_read(self, reason: str) -> None:
        """Note a part that is not OSC."""
        if self.takes_more():
            self.broken.append(UnreadableError(reason))


def read_packet(data: bytes) -> Packet:
    """Read a datagram. Never raises: errors of unreadable parts are in `broken`, the rest is usable."""
    packet = Packet()
    _read_element(data, IMMEDIATELY, 0, packet)
    return packet


def encode(address: str, *args: Any) -> bytes:
    """Encode one message. Integers beyond 32 bits travel as int64, floats as float32, bools as T/F.

    Raises:
        pythonosc.osc_message_builder.BuildError: OSC cannot carry a value.
    """
    return bytes(osc_message_builder.build_msg(address, list(args)).dgram)


def _read_element(data: bytes, due: float, depth: int, packet: Packet) -> None:
    if data.startswith(BUNDLE):
        if depth >= MAX_DEPTH:
            packet.cannot_read(f"bundles nested deeper than {MAX_DEPTH}")
            return
        for element, time in _elements(data, packet):
            _read_element(element, time, depth + 1, packet)
        return
    if not packet.takes_more():
        return
    try:
        packet.groups.setdefault(due, []).append(read_message(data))
    except UnreadableError as error:
        packet.broken.append(error)


def _elements(data: bytes, packet: Packet) -> Iterator[tuple[bytes, float]]:
    start = len(BUNDLE) + 8
    if len(data) < start:
        packet.cannot_read("a bundle without a time tag")
        return
    due = _unix_time(int.from_bytes(data[len(BUNDLE) : start], "big"))
    while start < len(data):
        size = struct.unpack_from(">i", data, start)[0] if len(data) - start >= 4 else -1
        if not 0 < size <= len(data) - start - 1:  # of the last one's padding up to three bytes may be missing
            packet.cannot_read(f"a bundle element whose size does not fit the packet, at byte {start}")
            return
        yield data[start + 4 : start + 4 + size], due
        start += 4 + size


def _unix_time(tag: int) -> float:
    return IMMEDIATELY if tag <= 1 else tag / 2**32 - _NTP_TO_UNIX
