"""OSC over TCP: packets in a stream, framed by a length (OSC 1.0) or by SLIP (OSC 1.1).

The first byte tells them apart: a length below 16 MiB begins with a zero, a SLIP packet with END or with the `/` or `#` of OSC.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pythonosc import slip

MAX_PACKET = 65_536  # bytes, as large as a datagram can be
PACKET_S = 10.0  # from a packet's first byte to its last
UNFRAMED_S = 1.0  # the same where that byte may also begin OSC without any framing

_UNFINISHED = "a packet that began did not end"
_FRAME = "give each packet its length in 4 bytes (OSC 1.0), or wrap it in SLIP (OSC 1.1)"


class FramingError(Exception):
    """The stream is not OSC, or a packet is too large or too slow."""


class OscStream:
    """Reads the packets of a connection. `frame` frames answers in the way the other end frames its packets.

    The reader's limit must be at least twice MAX_PACKET, for SLIP's escapes.
    """

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self.frame: Callable[[bytes], bytes] = _with_length

    async def packets(self) -> AsyncIterator[bytes]:
        """Each packet until the stream ends. Raises FramingError."""
        try:
            first = await self._reader.readexactly(1)
            if first == b"\0":
                packets = self._by_length(first)
            elif first == slip.END or first in b"/#":
                packets = self._by_slip(first)
            else:
                self.frame = bytes
                raise FramingError(f"it begins with {first!r}, as no OSC does; {_FRAME}")
            async for packet in packets:
                yield packet
        except (asyncio.IncompleteReadError, OSError):
            return  # the other end hung up, or is gone

    async def _by_length(self, first: bytes) -> AsyncIterator[bytes]:
        while True:
            async with _in_time(PACKET_S, _UNFINISHED):
                (length,) = struct.unpack(">I", first + await self._reader.readexactly(3))
                if length > MAX_PACKET:
                    raise FramingError(f"a packet of {length} bytes; at most {MAX_PACKET} are taken")
                packet = await self._reader.readexactly(length)
            yield packet
            first = await self._reader.readexactly(1)

    async def _by_slip(self, first: bytes) -> AsyncIterator[bytes]:
        unframed = first != slip.END
        self.frame = bytes if unframed else slip.encode
        while True:
            if first != slip.END:  # which may also come twice in a row
                limit = (UNFRAMED_S, f"OSC without framing ({_FRAME}): no packet ended") if unframed else (PACKET_S, _UNFINISHED)
                async with _in_time(*limit):
                    data = await self._until_end()
                self.frame, unframed = slip.encode, False
                try:
                    packet = slip.decode(first + data)
                except slip.ProtocolError as error:
                    raise FramingError("a broken SLIP escape") from error
                yield packet
            first = await self._reader.readexactly(1)

    async def _until_end(self) -> bytes:
        try:
            return await self._reader.readuntil(slip.END)
        except asyncio.LimitOverrunError as error:
            raise FramingError(f"a packet of more than {MAX_PACKET} bytes") from error


@asynccontextmanager
async def _in_time(seconds: float, reason: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds) as limit:
            yield
    except TimeoutError:
        if not limit.expired():  # the system's, as keepalive has found the other end gone
            raise
        raise FramingError(f"{reason} within {seconds:g} s") from None


def _with_length(packet: bytes) -> bytes:
    return struct.pack(">I", len(packet)) + packet
