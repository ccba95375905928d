"""Another machine at the end of a cable: a network namespace of Linux, with a pair of virtual devices between it and this one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.waiting import eventually


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
            self.run("ip", *words)

    def second(self, address: str) -> None:
        """Give our end of the cable another address."""
        _run("ip", "address", "add", f"{address}/24", "label", f"{self.cable}:1", "dev", self.cable)

    def command(self, *command: str) -> list[str]:
        """The command line that runs a program there."""
        return ["nsenter", "-t", str(self._holder.pid), "-n", *command]

    def run(self, *command: str) -> None:
        """Run a program there to its end, which is a good one."""
        _run(*self.command(*command))

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """What we send there is dropped meanwhile, as by a firewall or a broken cable: nobody is told."""
        _run("ip", "route", "add", "blackhole", f"{self.there}/32")
        try:
            yield
        finally:
            _run("ip", "route", "delete", "blackhole", f"{self.there}/32")

    def close(self) -> None:
        """End it, and take the cable away: the system would, a while later."""
        subprocess.run(["ip", "link", "delete", self.cable], stderr=subprocess.DEVNULL, timeout=20, check=False)
        self._holder.kill()
        self._holder.wait()


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
