"""A light desks' receiver on a network: this machine's loopback, or a cable to a machine of its own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sdv2_live.config.schema_music import DmxConfig
from sdv2_live.control.dmx.receiver import LightDesks
from sdv2_live.control.store import ParamStore
from sdv2_live.show.outside import open_desks

HERE, THERE = "10.77.0.1", "10.77.0.2"


@contextmanager
def light_desks(store: ParamStore, at: str = "127.0.0.1", **config: Any) -> Iterator[LightDesks]:
    """Listen to desks, which write to `store`."""
    with open_desks(DmxConfig(enabled=True, interface=at, **config), store.set_many) as desks:
        yield desks
    assert desks.counters.failures == 0


class Machine:
    """Another machine at the end of a cable, at THERE; we are at HERE."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(["unshare", "-n", "sleep", "600"])
        self._ip("link", "add", "cable0", "type", "veth", "peer", "name", "cable1", "netns", str(self._holder.pid))
        self._ip("address", "add", f"{HERE}/24", "brd", "+", "dev", "cable0")
        self._ip("link", "set", "cable0", "up")
        self.call("ip", "link", "set", "lo", "up")
        self.call("ip", "address", "add", f"{THERE}/24", "brd", "+", "dev", "cable1")
        self.call("ip", "link", "set", "cable1", "up")
        self.call("ip", "route", "add", "default", "dev", "cable1")

    def command(self, *command: str) -> list[str]:
        """The command line that runs a program there."""
        return ["nsenter", "-t", str(self._holder.pid), "-n", *command]

    def call(self, *command: str) -> None:
        """Run a program there to its end."""
        subprocess.run(self.command(*command), check=True, timeout=60)

    def _ip(self, *words: str) -> None:
        subprocess.run(["ip", *words], check=True, timeout=20)

    def close(self) -> None:
        """End it; the cable goes with it."""
        self._holder.kill()
        self._holder.wait()


@contextmanager
def machine() -> Iterator[Machine]:
    """A machine of its own, or a skip where none can be made."""
    missing = [name for name in ("ip", "unshare", "nsenter") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"a second machine is made by {', '.join(missing)} (Linux, root; iproute2 and util-linux)")
    try:
        one = Machine()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this system makes no network of one's own: {error}")
    try:
        yield one
    finally:
        one.close()
