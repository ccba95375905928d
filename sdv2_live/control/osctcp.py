"""OSC over TCP: packets in a stream, framed by a length (OSC 1.0) or by SLIP (OSC 1.1).

The first byte tells which: a length below 16 MiB begins with a zero, a SLIP packet with END or with the `/` or `#` of OSC itself.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable

from pythonosc import slip

MAX_PACKET = 65_536  # bytes, as large as a datagram can be


class FramingError(Exception):
    """The stream is not OSC, or a packet is larger than any that is meant well."""


Encode = Callable[[bytes], bytes]


async def frames(reader: asyncio.StreamReader) -> AsyncIterator[tuple[bytes, Encode]]:
    """Each packet of the stream until it ends, with the function that frames answers the same way.

    Raises FramingError. The reader's limit must be at least twice MAX_PACKET, for SLIP's escapes.
    """
    try:
        first = await reader.readexactly(1)
        if first == b"\0":
            async for packet in _by_length(reader, first):
                yield packet, _with_length
        else:
            async for packet in _by_slip(reader, first):
                yield packet, slip.encode
    except (asyncio.IncompleteReadError, ConnectionError):
        return  # the other end hung up


async def _by_length(reader: asyncio.StreamReader, head: bytes) -> AsyncIterator[bytes]:
    while True:
        (length,) = struct.unpack(">I", head + await reader.readexactly(4 - len(head)))
        if length > MAX_PACKET:
            raise FramingError(f"a packet of {length} bytes; at most {MAX_PACKET} are taken")
        yield await reader.readexactly(length)
        head = b""


async def _by_slip(reader: asyncio.StreamReader, head: bytes) -> AsyncIterator[bytes]:
    if head == slip.END:
        head = b""  # otherwise END is the whole of readuntil's answer, and `head` is the packet's first byte
    while True:
        try:
            data = head + await reader.readuntil(slip.END)
        except asyncio.LimitOverrunError as error:
            raise FramingError(f"a packet of more than {MAX_PACKET} bytes") from error
        head = b""
        if data != slip.END:
            try:
                yield slip.decode(data)
            except slip.ProtocolError as error:
                raise FramingError("a broken SLIP escape") from error


def _with_length(packet: bytes) -> bytes:
    return struct.pack(">I", len(packet)) + packet
