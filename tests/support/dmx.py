"""Packets of light desks, written byte for byte from the protocols' documents."""

from __future__ import annotations

import struct


def artnet(levels: bytes, universe: int = 0, sequence: int = 0, *, opcode: int = 0x5000, version: int = 14) -> bytes:
    head = b"Art-Net\0" + struct.pack("<H", opcode) + struct.pack(">H", version)
    return head + struct.pack(">BBBBH", sequence, 0, universe & 0xFF, universe >> 8, len(levels)) + levels


def poll(flags: int = 0, first: int = 0, last: int = 0) -> bytes:
    targets = struct.pack(">HH", last, first) if flags else b""
    return b"Art-Net\0\x00\x20\x00\x0e" + bytes((flags, 0)) + targets


def sacn(
    levels: bytes,
    universe: int = 1,
    sequence: int = 0,
    *,
    priority: int = 100,
    cid: bytes = b"desk" * 4,
    name: str = "a desk",
    options: int = 0,
    start_code: int = 0,
) -> bytes:
    count = len(levels) + 1
    root = struct.pack(">HH12s", 0x10, 0, b"ASC-E1.17") + struct.pack(">HI16s", 0x7000 | 109 + count, 4, cid)
    framing = struct.pack(">HI64sBHBBH", 0x7000 | 87 + count, 2, name.encode(), priority, 0, sequence & 0xFF, options, universe)
    dmp = struct.pack(">HBBHHHB", 0x7000 | 10 + count, 2, 0xA1, 0, 1, count, start_code)
    return root + framing + dmp + levels
