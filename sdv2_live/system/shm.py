"""Shared memory for pictures, and the allocation of places in it."""

from __future__ import annotations

import mmap
import os
import socket
import sys
import tempfile
import uuid
import weakref
from collections import deque
from typing import Self

import numpy as np

from sdv2_live.system.process import Connection

ALIGN = 64  # bytes; rows begin at a cache line


def aligned(size: int) -> int:
    """`size`, rounded up to a multiple of the alignment."""
    return -(-size // ALIGN) * ALIGN


class Segment:
    """Memory shared by its maker and one other process.

    It has no name in the file system, and nobody must remember to delete it: the system frees it when the last process that has
    it is gone, however that ended. Pages are allocated at the first write. (The standard library's SharedMemory leaves a file
    behind after a kill, and is confined to /dev/shm: 64 MB in a container.)
    """

    def __init__(self, size: int, *, name: str = "", descriptor: int | None = None) -> None:
        """Make a new segment, or map the maker's with the name or descriptor from `send`.

        Raises:
            OSError: there is no room.
            MemoryError: there is no room.
        """
        self.size = size
        self.name = name or f"sdv2-live-{uuid.uuid4().hex}"
        if sys.platform == "win32":
            self.buffer = mmap.mmap(-1, size, tagname=self.name)
            return
        self._descriptor = _anonymous_file(self.name, size) if descriptor is None else descriptor
        weakref.finalize(self, os.close, self._descriptor)
        self.buffer = mmap.mmap(self._descriptor, size)

    def send(self, connection: Connection) -> None:
        """Share it with the process at the other end, right after a message with `size` and `name`."""
        if sys.platform != "win32":  # there the name is enough
            with _socket_of(connection) as end:
                socket.send_fds(end, [b"\0"], [self._descriptor])

    @classmethod
    def receive(cls, connection: Connection, size: int, name: str) -> Self:
        """Map the segment that the other end passed to `send`."""
        if sys.platform == "win32":
            return cls(size, name=name)
        with _socket_of(connection) as end:
            _, descriptors, _, _ = socket.recv_fds(end, 1, 1)
        if not descriptors:
            raise EOFError
        return cls(size, name=name, descriptor=descriptors[0])

    def rows(self, offset: int, height: int, stride: int) -> np.ndarray:
        """uint8 (height, stride) at `offset`; the array keeps the memory alive."""
        return np.ndarray((height, stride), np.uint8, self.buffer, offset)


def _socket_of(connection: Connection) -> socket.socket:
    """The Unix socket behind a duplex pipe (not on Windows)."""
    return socket.socket(fileno=os.dup(connection.fileno()))


def _anonymous_file(name: str, size: int) -> int:
    """Descriptor of a file without a name, in memory where the system has such files."""
    if sys.platform == "linux":
        descriptor = os.memfd_create(name)
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor


class BufferPool:
    """`count` places for pictures of at most `size` bytes each.

    A place is free again after `release`, or when no reference to its `rows` is left, on whatever thread that happens.
    """

    def __init__(self, count: int, size: int) -> None:
        self.size, self._count = size, count
        self.segment = Segment(aligned(size) * count or ALIGN)
        # A deque, as its ends are safe without a lock: the garbage collector may free a place in the midst of anything.
        self._free = deque(place * aligned(size) for place in range(count))

    def acquire(self, most: int) -> list[int]:
        """Offsets of up to `most` free places; none when all are in use."""
        lent: list[int] = []
        while len(lent) < most and self._free:
            lent.append(self._free.pop())  # the one that was used last: its memory is warm, and the rest may stay untouched
        return lent

    @property
    def lent(self) -> int:
        """Places in use."""
        return self._count - len(self._free)

    def release(self, offset: int) -> None:
        """Free a place that was lent."""
        self._free.append(offset)

    def rows(self, offset: int, height: int, stride: int) -> np.ndarray:
        """The picture at an acquired place, which becomes free when the array and all its views are gone."""
        rows = self.segment.rows(offset, height, stride)
        rows.flags.writeable = False
        weakref.finalize(rows, self.release, offset).atexit = False
        return rows
