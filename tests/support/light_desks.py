"""A light desks' receiver on a network: this machine's loopback, or a cable to a machine of its own."""

from __future__ import annotations

import os
import shutil
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
from support.waiting import eventually

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


class Machine:
    """Another machine at the end of a cable of its own.

    Attributes:
        cable: our interface.
        here: our address on it.
        there: its address.
    """

    def __init__(self, number: int) -> None:
        self.cable, self.here, self.there = f"cable{number}", f"10.77.{number}.1", f"10.77.{number}.2"
        self._holder = subprocess.Popen(["unshare", "-n", "sleep", "600"])
        eventually("a network of its own", lambda: _network(self._holder.pid) != _network(os.getpid()))
        try:
            self._plug_in()
        except subprocess.CalledProcessError:
            self.close()
            raise

    def _plug_in(self) -> None:
        far = f"{self.cable}-far"
        _run("ip", "link", "add", self.cable, "type", "veth", "peer", "name", far, "netns", str(self._holder.pid))
        _run("ip", "address", "add", f"{self.here}/24", "brd", "+", "dev", self.cable)
        _run("ip", "link", "set", self.cable, "up")
        for words in (
            ("link", "set", "lo", "up"),
            ("address", "add", f"{self.there}/24", "brd", "+", "dev", far),
            ("link", "set", far, "up"),
            ("route", "add", "default", "dev", far),
        ):
            _run(*self.command("ip", *words))

    def second(self, address: str) -> None:
        """Give our end of the cable another address."""
        _run("ip", "address", "add", f"{address}/24", "label", f"{self.cable}:1", "dev", self.cable)

    def command(self, *command: str) -> list[str]:
        """The command line that runs a program there."""
        return ["nsenter", "-t", str(self._holder.pid), "-n", *command]

    def send(self, packet: bytes, target: str, port: int) -> None:
        """Send a packet from there. target: an address, or `multicast` for the group of sACN's universe 1."""
        address = "239.255.0.1" if target == "multicast" else target
        _run(*self.command(sys.executable, "-c", SEND, packet.hex(), address, str(port)))

    def close(self) -> None:
        """End it, and take the cable away: the system would, a while later."""
        subprocess.run(["ip", "link", "delete", self.cable], stderr=subprocess.DEVNULL, timeout=20, check=False)
        self._holder.kill()
        self._holder.wait()


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


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=20)


def _network(process: int) -> str:
    return os.readlink(f"/proc/{process}/ns/net")


@contextmanager
def machine(number: int = 0) -> Iterator[Machine]:
    """A machine of its own, or a skip where none can be made. number: of the cable to it, from 0."""
    missing = [name for name in ("ip", "unshare", "nsenter") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"a second machine is made by {', '.join(missing)} (Linux, root; iproute2 and util-linux)")
    try:
        one = Machine(number)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this system makes no network of one's own: {error}")
    try:
        yield one
    finally:
        one.close()
