"""sACN (ANSI E1.31): packets with levels. All numbers are big-endian."""

from __future__ import annotations

import struct

from sdv2_live.errors import DmxError
from sdv2_live.music.dmx.packets import SLOTS, Levels, Protocol, text

PORT = 5568
MAX_UNIVERSE = 63_999
MAX_PRIORITY = 200
ROOT = b"\x00\x10\x00\x00ASC-E1.17\0\0\0"
DATA = 4  # root vector
LEVELS = 2  # framing vector
PREVIEW, ENDED = 0x80, 0x40  # options
HEADER = 126  # up to the start code, included


def group(universe: int) -> str:
    """The multicast group of a universe."""
    return f"239.255.{universe >> 8}.{universe & 0xFF}"


def read(packet: bytes) -> Levels | None:
    """Read a packet; None for one that is about something else: no levels, or not for the stage (preview).

    Raises:
        DmxError: it is no sACN, or damaged.
    """
    if not packet.startswith(ROOT) or len(packet) < 22:
        raise DmxError("it is no sACN")
    (root,) = struct.unpack_from(">I", packet, 18)
    if root != DATA:
        return None
    if len(packet) < HEADER:
        raise DmxError("its head is cut off")
    framing, _, priority, _, sequence, options, universe = struct.unpack_from(">I64sBHBBH", packet, 40)
    if framing != LEVELS:
        return None
    _, vector, kinds, first, step, count, start_code = struct.unpack_from(">HBBHHHB", packet, 115)
    if (vector, kinds, first, step) != (2, 0xA1, 0, 1):
        raise DmxError("its levels are not written as E1.31 says")
    if not 1 <= universe <= MAX_UNIVERSE or priority > MAX_PRIORITY:
        raise DmxError(f"there is no universe {universe} with priority {priority}")
    if not 1 <= count <= SLOTS + 1 or len(packet) < HEADER - 1 + count:
        raise DmxError(f"its {count - 1} levels are not in it")
    if options & PREVIEW or (start_code and not options & ENDED):
        return None
    levels = b"" if options & ENDED else packet[HEADER : HEADER - 1 + count]
    ended = bool(options & ENDED)
    return Levels(Protocol.SACN, universe, levels, sequence, priority, packet[22:38], text(packet[44:108]), ended)


def universe_of(packet: bytes) -> int | None:
    """The universe of a packet with levels, without reading it; None for other packets."""
    if len(packet) < HEADER or packet[18:22] != b"\0\0\0\x04" or packet[40:44] != b"\0\0\0\x02":
        return None
    return packet[113] << 8 | packet[114]
