"""A light desks' receiver on a network: this machine's loopback, or a cable to a machine of its own (see `machines`)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sdv2_live.config.schema_music import DmxConfig
from sdv2_live.control.dmx.receiver import LightDesks
from sdv2_live.control.store import ParamStore
from sdv2_live.show.outside import open_desks
from support.machines import Machine

SEND = """
import socket, sys
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
udp.sendto(bytes.fromhex(sys.argv[1]), (sys.argv[2], int(sys.argv[3])))
"""


@contextmanager
def light_desks(store: ParamStore, at: str = "127.0.0.1", **config: Any) -> Iterator[LightDesks]:
    """Listen to desks, which write to `store`."""
    with open_desks(DmxConfig(enabled=True, interface=at, **config), store.set_many) as desks:
        yield desks
    assert desks.counters.failures == 0


def send(at: Machine, packet: bytes, target: str, port: int) -> None:
    """Send a packet from a machine. target: an address, or `multicast` for the group of sACN's universe 1."""
    address = "239.255.0.1" if target == "multicast" else target
    at.run(sys.executable, "-c", SEND, packet.hex(), address, str(port))


class Sender:
    """A desk that a library of others makes, sending from a machine. See `desk_program.py` for the arguments."""

    def __init__(self, at: Machine, protocol: str, target: str, universe: int) -> None:
        program = str(Path(__file__).parent / "desk_program.py")
        command = at.command(sys.executable, program, protocol, target, str(universe))
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)

    def send(self, *levels: int) -> None:
        """Send these levels from now on."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, levels)) + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """End it as the library does."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(20) == 0


@contextmanager
def sender(at: Machine, protocol: str, target: str, universe: int) -> Iterator[Sender]:
    """A desk on a machine, or a skip where its library is not installed."""
    pytest.importorskip({"artnet": "stupidArtnet", "sacn": "sacn"}[protocol])
    one = Sender(at, protocol, target, universe)
    try:
        yield one
    finally:
        one.close()
