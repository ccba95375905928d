"""Art-Net 4: levels, polls, and our answer to a poll.

Opcodes and the port are little-endian, all other numbers big-endian. A universe's number is its 15-bit Port-Address.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from sdv2_live.errors import DmxError
from sdv2_live.music.dmx.packets import SLOTS, Levels, Protocol

PORT = 6454
MAX_UNIVERSE = 32_767
ID = b"Art-Net\0"
VERSION = 14
DMX, POLL, POLL_REPLY = 0x5000, 0x2000, 0x2100
HEADER = 12  # ID, opcode, version
DMX_HEADER = 18
TARGETED = 0x20  # flag of a poll that names the universes it asks for
OEM_UNKNOWN = 0x00FF
REPLY_SIZE = 239


@dataclass(frozen=True, slots=True)
class Poll:
    """The question who is there; with the first and last universe that it is about."""

    first: int = 0
    last: int = MAX_UNIVERSE

    def about(self, universe: int) -> bool:
        """True when a node with this universe is asked."""
        return self.first <= universe <= self.last


def read(packet: bytes) -> Levels | Poll | None:
    """Read a packet; None for one that is about something else.

    Raises:
        DmxError: it is no Art-Net, or damaged.
    """
    if len(packet) < HEADER - 2 or not packet.startswith(ID):
        raise DmxError("it is no Art-Net")
    (opcode,) = struct.unpack_from("<H", packet, 8)
    if opcode not in (DMX, POLL):
        return None
    if len(packet) < HEADER or packet[10] << 8 | packet[11] < VERSION:
        raise DmxError("it is of a version of Art-Net before 14")
    return _levels(packet) if opcode == DMX else _poll(packet)


def universe_of(packet: bytes) -> int | None:
    """The universe of a packet with levels, without reading it; None for other packets."""
    if len(packet) < DMX_HEADER or packet[8:10] != b"\x00\x50":
        return None
    return (packet[15] & 0x7F) << 8 | packet[14]


def _levels(packet: bytes) -> Levels:
    if len(packet) < DMX_HEADER:
        raise DmxError("its head is cut off")
    (length,) = struct.unpack_from(">H", packet, 16)
    if not 2 <= length <= SLOTS:
        raise DmxError(f"it tells of {length} levels, not of 2 to {SLOTS}")
    levels = packet[DMX_HEADER : DMX_HEADER + length]
    if len(levels) < length:
        raise DmxError(f"{length - len(levels)} of its {length} levels are missing")
    return Levels(Protocol.ARTNET, (packet[15] & 0x7F) << 8 | packet[14], levels, packet[12] or None)


def _poll(packet: bytes) -> Poll:
    if len(packet) < 18 or not packet[12] & TARGETED:
        return Poll()
    last, first = struct.unpack_from(">HH", packet, 14)
    return Poll(first, last)


def poll_reply(address: str, universe: int, name: str, report: str, mac: bytes = bytes(6)) -> bytes:
    """The answer of a node that listens to one universe.

    Args:
        address: our IPv4 address.
        universe: its Port-Address.
        name: of the node; its first 17 bytes are the short name.
        report: a few words on how it is.
        mac: of our network card.
    """
    ip = bytes(map(int, address.split(".")))
    reply = bytearray(REPLY_SIZE)
    struct.pack_into("<8sH4sH", reply, 0, ID, POLL_REPLY, ip, PORT)
    struct.pack_into(">HBBH", reply, 16, 1, universe >> 8, universe >> 4 & 0xF, OEM_UNKNOWN)
    reply[23] = 0xE0  # indicators normal, universe set by the program itself
    for at, size, words in ((26, 18, name), (44, 64, name), (108, 64, f"#0001 [0000] {report}")):
        reply[at : at + size] = words.encode("ascii", "replace")[: size - 1].ljust(size, b"\0")
    reply[173] = 1  # ports
    reply[174] = 0x80  # it puts out DMX
    reply[182] = 0x80  # and does so now
    reply[190] = universe & 0xF
    reply[201:207] = mac
    reply[207:211] = ip
    reply[211] = 1  # the first, and only, of our nodes at this address
    reply[212] = 0x08  # 15-bit addresses
    return bytes(reply)
