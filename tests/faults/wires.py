"""The TCP connections of other processes, cut or made silent while both ends live. Linux; no rights beyond those over a child.

A descriptor is copied out of the process (pidfd_getfd(2), Linux 5.6), and what is done to the copy is done to the connection.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import psutil

_PIDFD_GETFD = 438  # the same on every processor
_ATTACH_FILTER = 26  # SO_ATTACH_FILTER
_DROP_ALL = struct.pack("=HBBI", 6, 0, 0, 0)  # a classic BPF program of one instruction: return 0, which keeps nothing
_UNSPEC = struct.pack("=H14x", socket.AF_UNSPEC)
_LIBC = ctypes.CDLL(None, use_errno=True)


def reset(*pids: int) -> None:
    """Both ends of the processes' connections are told that they are gone, as by a switch that was restarted.

    connect(2): to AF_UNSPEC dissolves a connection.
    """
    with _wires(pids) as wires:
        for wire in wires:
            _LIBC.connect(wire.fileno(), _UNSPEC, len(_UNSPEC))


def silence(*pids: int) -> None:
    """Nothing arrives at these processes' connections any more, and nobody is told, as by a pulled cable."""
    program = ctypes.create_string_buffer(_DROP_ALL)
    with _wires(pids) as wires:
        for wire in wires:
            wire.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("@HP", 1, ctypes.addressof(program)))


@contextmanager
def _wires(pids: Sequence[int]) -> Iterator[list[socket.socket]]:
    """Copies of all connections of these processes."""
    with ExitStack() as opened:
        copies = []
        for pid in pids:
            process = os.pidfd_open(pid)
            opened.callback(os.close, process)
            for one in psutil.Process(pid).net_connections("tcp"):
                if one.status == psutil.CONN_ESTABLISHED:
                    copy = _LIBC.syscall(_PIDFD_GETFD, process, one.fd, 0)
                    assert copy >= 0, os.strerror(ctypes.get_errno())
                    copies.append(opened.enter_context(socket.socket(fileno=copy)))
        assert copies
        yield copies
