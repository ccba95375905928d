"""The pipe between the show's process and the engine's."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from sdv2_live.system.process import Connection
from sdv2_live.system.shm import Segment
from sdv2_live.worker.messages import ANY, FrameAt, Reply, Request, ShareSegment


class Channel:
    """One end of the pipe. Any thread may send; one receives.

    Raises:
        EOFError: the other end is gone.
        OSError: the other end is gone.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._sending = threading.Lock()

    def send(self, message: Request | Reply, parts: Sequence[np.ndarray] = ()) -> None:
        """Send a message, followed by rows."""
        data = ANY.dump_json(message)
        with self._sending:
            self.connection.send_bytes(data)
            for rows in parts:
                self.connection.send_bytes(np.ascontiguousarray(rows).data.cast("B"))

    def close(self) -> None:
        """Release the pipe, once no thread sends any more: the system may give its number to another file at once."""
        with self._sending:
            self.connection.close()

    def share(self, direction: Literal["input", "output"], segment: Segment) -> None:
        """Send a segment of shared memory, which replaces the previous one."""
        data = ANY.dump_json(ShareSegment(direction, segment.size, segment.name))
        with self._sending:
            self.connection.send_bytes(data)
            segment.send(self.connection)

    def receive(self) -> Any:
        """Wait for the next message."""
        return ANY.validate_json(self.connection.recv_bytes())

    def rows(self, at: FrameAt) -> np.ndarray:
        """The next of the rows that follow the last message received."""
        return np.frombuffer(self.connection.recv_bytes(), np.uint8).reshape(at.height, at.stride)
