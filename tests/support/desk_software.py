"""Light desks that people use, running on a machine of their own: QLC+ and OLA. Skipped where they are not installed."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from support.machines import Machine
from support.waiting import eventually

CONNECT = "import socket; socket.create_connection(('127.0.0.1', 9010), 2).close()"  # where OLA's tools look for it
USER = (
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
)  # OLA does not run as root, QLC+ then has no folder of its own
WORKSPACE = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE Workspace>
<Workspace xmlns="http://www.qlcplus.org/Workspace" CurrentWindow="FixtureManager">
 <Creator><Name>Q Light Controller Plus</Name><Version>4.12.6</Version><Author>a test</Author></Creator>
 <Engine>
  <InputOutputMap>
   <Universe Name="A" ID="0"><Output Plugin="ArtNet" UID="{there}" Line="1"/></Universe>
   <Universe Name="B" ID="1"><Output Plugin="E1.31" UID="{there}" Line="1"/></Universe>
  </InputOutputMap>
  <Fixture>
   <Manufacturer>sdv2-live</Manufacturer><Model>Show</Model><Mode>16 bit</Mode><ID>0</ID><Name>by Art-Net</Name>
   <Universe>0</Universe><Address>0</Address><Channels>15</Channels>
  </Fixture>
  <Fixture>
   <Manufacturer>sdv2-live</Manufacturer><Model>Show</Model><Mode>8 bit</Mode><ID>1</ID><Name>by sACN</Name>
   <Universe>1</Universe><Address>0</Address><Channels>11</Channels>
  </Fixture>
 </Engine>
</Workspace>
"""


class Program:
    """A program that runs on a machine as an ordinary user, in a home of its own."""

    def __init__(self, at: Machine, home: Path, *command: str) -> None:
        self._at, self._home = at, home
        with Path(home, "log").open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                at.command(*USER, *command),
                stdout=log,
                stderr=log,
                env=os.environ | {"HOME": str(home), "QT_QPA_PLATFORM": "offscreen"},
            )

    def call(self, *command: str) -> str:
        """What another program says there; empty where it fails."""
        done = subprocess.run(self._at.command(*USER, *command), capture_output=True, text=True, timeout=60, check=False)
        return done.stdout if done.returncode == 0 else ""

    @property
    def log(self) -> str:
        """All that it has said."""
        return Path(self._home, "log").read_text(encoding="utf-8", errors="replace")

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Ola(Program):
    """OLA, whose universe 0 is Art-Net's, and 7 sACN's."""

    def __init__(self, at: Machine, home: Path) -> None:
        super().__init__(at, home, "olad", "--config-dir", str(home), "--no-http")
        # Its tools start a daemon of their own, which nobody would end, where none answers.
        eventually("OLA to listen", lambda: self.call(sys.executable, "-c", f"{CONNECT}; print('yes')"))
        devices = eventually("OLA", lambda: self.call("ola_dev_info"))
        for name, universe in (("ArtNet", 0), (r"E1\.31", 7)):
            (number,) = re.findall(rf"Device (\d+): {name}", devices)
            self.call("ola_patch", "--device", number, "--port", "0", "--universe", str(universe))

    def send(self, universe: int, *levels: int) -> None:
        """Set the first levels of a universe; OLA sends them once."""
        self.call("ola_set_dmx", "--universe", str(universe), "--dmx", ",".join(map(str, levels)))


class QlcPlus(Program):
    """QLC+ with our fixture on its universe 1, which goes out by Art-Net, and on 2, which goes out by sACN."""

    def __init__(self, at: Machine, home: Path, fixture: Path) -> None:
        folder = home / ".qlcplus" / "fixtures"
        folder.mkdir(parents=True)
        shutil.copy(fixture, folder)
        workspace = home / "show.qxw"
        workspace.write_text(WORKSPACE.format(there=at.there), encoding="utf-8")
        for path in (home / ".qlcplus", folder):
            path.chmod(0o777)
        self._url = f"http://{at.there}:9999/qlcplusWS"
        super().__init__(at, home, "qlcplus", "-w", "-o", str(workspace), "-p", "-d", "0")
        eventually("QLC+", lambda: self._talk("QLC+API|getUniversesNumber"))

    def send(self, channel: int, level: int) -> None:
        """Set a channel of its simple desk, from 1; a universe has 512."""
        self._talk(f"CH|{channel}|{level}", answered=False)

    def kinds(self, universe: int, count: int) -> list[str]:
        """What sort of channel its fixtures say the first `count` of a universe are; empty for one without a fixture."""
        said = self._talk(f"QLC+API|getChannelsValues|{universe}|1|{count}").split("|")[2:]
        return [kind.partition(".")[0] for kind in said[2::3]]

    def _talk(self, message: str, answered: bool = True) -> str:
        async def talk() -> str:
            patience = aiohttp.ClientWSTimeout(ws_receive=20, ws_close=0.1)  # QLC+ does not answer to a goodbye
            async with aiohttp.ClientSession() as session, session.ws_connect(self._url, timeout=patience) as stream:
                await stream.send_str(message)
                return str(await stream.receive_str()) if answered else ""

        try:
            return asyncio.run(talk())
        except aiohttp.ClientConnectionError:
            return ""


@contextmanager
def ola(at: Machine) -> Iterator[Ola]:
    """OLA on a machine."""
    _needs("olad", "ola")
    with _home() as home:
        program = Ola(at, home)
        try:
            yield program
        finally:
            program.close()


@contextmanager
def qlcplus(at: Machine, fixture: Path) -> Iterator[QlcPlus]:
    """QLC+ on a machine, with the definition of our fixture."""
    _needs("qlcplus", "qlcplus")
    with _home() as home:
        program = QlcPlus(at, home, fixture)
        try:
            yield program
        finally:
            program.close()


def _needs(program: str, package: str) -> None:
    if shutil.which(program) is None or shutil.which("setpriv") is None:
        pytest.skip(f"{program} is not installed (apt install {package})")


@contextmanager
def _home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)
