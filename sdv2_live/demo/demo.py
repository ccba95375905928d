"""A show with everything that it consists of, each part in a process of its own.

A player publishes the demo clip by NDI, and the daemon restyles it, at the clip's size. The demo receives both pictures by NDI,
walks through its looks by OSC, and writes what it sees: demo.png (input above output, a column for each look), demo.mp4 (the
restyled picture) and demo.log (all that the processes said).
"""

from __future__ import annotations

import re
import shutil
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol, TypeVar

from pythonosc.udp_client import SimpleUDPClient

from sdv2_live import logs
from sdv2_live.config.schema import OscConfig
from sdv2_live.demo.children import Child
from sdv2_live.demo.looks import SETTINGS
from sdv2_live.demo.sheet import Column, contact_sheet
from sdv2_live.demo.tap import Tap, picture
from sdv2_live.errors import Sdv2Error
from sdv2_live.io.files.sink import FileSink
from sdv2_live.system.clock import monotonic

CLIP = Path(__file__).parents[1] / "assets" / "demo.mp4"
PATIENCE_S = 180.0  # for a step of the start; a cold disk and a virus scanner take a minute to load PyTorch

T = TypeVar("T")


class DemoError(Sdv2Error):
    """The demo cannot go on; the message says why and what to look at."""


class Wish(Protocol):
    """The user's wish to stop."""

    def wait(self, timeout: float) -> bool:
        """Wait for it, `timeout` seconds at most. True when it is there."""


class Stopped(Exception):  # noqa: N818  (no error)
    """The user wants no more."""


class Said:
    """What the demo needs to know of what a child said."""

    def __init__(self) -> None:
        self.published: str | None = None  # full name of its NDI source
        self.osc: tuple[str, int] | None = None
        self.page: str | None = None  # its address
        self.status: str | None = None  # the daemon's newest report, without the source's name

    def __call__(self, line: str) -> None:
        if found := re.search(r"publishing '(.+)'$", line):
            self.published = found[1]
        if found := re.search(r"control osc://(\S+):(\d+)/", line):
            self.osc = found[1], int(found[2])
        if found := re.search(r"the page: (http\S+)", line):
            self.page = found[1]
        if found := re.search(r"\| (in +[\d.]+ fps.*)", line):
            self.status = found[1]

    def number(self, pattern: str) -> float:
        """A number of the newest report; 0 where there is none."""
        found = re.search(pattern, self.status or "")
        return float(found[1]) if found else 0.0


class Demo:
    """The running demo. Its processes and receivers belong to `stack`."""

    def __init__(self, name: str, out: Path, stop: Wish, stack: ExitStack) -> None:
        self._name, self._out, self._stop, self._stack = name, out, stop, stack
        self._log = stack.enter_context((out / "demo.log").open("w", encoding="utf-8"))
        self._children: list[Child] = []
        self._columns: list[Column] = []
        self._clip, self._daemon = Said(), Said()
        self._look = "starting"
        self._reported: str | None = None

    def start(self) -> str:
        """Start both processes and wait for the first restyled frame. Gives the page's address. Raises DemoError."""
        source = f"file:{CLIP}" if CLIP.is_file() else "test:360x640"
        self._start(self._clip, "play", source, "--name", f"{self._name} clip")
        clip = self._wait("the clip's NDI source", lambda: self._clip.published)
        settings = SETTINGS if _default_port_is_free() else (*SETTINGS, "osc.port=0")
        daemon = ("run", "--input", f"ndi:{clip}", "--output", f"ndi:{self._name}", "--model", "tiny")
        self._start(self._daemon, *daemon, *(part for setting in settings for part in ("--set", setting)))
        shown = self._wait("the daemon's NDI source", lambda: self._daemon.published)
        self._input, self._output = self._tap(clip), self._tap(shown)
        host, port_number = self._wait("the daemon's OSC address", lambda: self._daemon.osc)
        self._client = SimpleUDPClient(host, port_number)
        self._wait("an input frame", lambda: self._input.count)
        self._wait("an output frame", lambda: self._output.count)
        self._wait("a restyled frame", lambda: self._daemon.number(r"painted +([\d.]+)"))
        page = self._wait("the page's address", lambda: self._daemon.page)
        logs.say(_welcome(page, clip, shown, host, port_number))
        return page

    def walk(self, looks: Mapping[str, str], look_s: float) -> None:
        """Show each look for `look_s` seconds and record it; write the contact sheet and the video, also when stopped."""
        with FileSink(self._out / "demo.mp4") as recorder:
            self._output.record(recorder)
            try:
                for name, prompt in looks.items():
                    self._show(name, prompt, look_s)
            finally:
                self._output.record(None)
                if self._columns:
                    contact_sheet(self._columns, self._out / "demo.png")
        logs.say(f"\nwrote {self._out / 'demo.png'} and {self._out / 'demo.mp4'} ({recorder.written} frames)")

    def play(self) -> None:
        """Leave the picture to the user."""
        self._look = "yours"
        logs.say("Now the picture is yours: try the lines above. Ctrl-C ends the demo.")
        while True:
            self._tick()

    def _show(self, name: str, prompt: str, seconds: float) -> None:
        self._look = name
        self._client.send_message("/sdv2/prompt", prompt)
        seen = self._output.count
        until = monotonic() + seconds
        while monotonic() < until:
            self._tick()
        if self._output.count == seen:
            raise DemoError(f"no output frame came for {seconds:g} s; see {self._out / 'demo.log'}")
        after = self._output.newest
        before = self._input.at(after.captured_ns - int(self._daemon.number(r"latency +(\d+) ms") * 1e6))
        caption = f"{name}: {prompt}"
        self._columns.append((caption, picture(before), picture(after)))

    def _start(self, said: Said, *arguments: str) -> None:
        self._children.append(self._stack.enter_context(Child(arguments, self._log, said)))

    def _tap(self, full_name: str) -> Tap:
        tap = Tap(full_name)
        self._stack.callback(tap.close)
        return tap

    def _wait(self, what: str, value: Callable[[], T | None]) -> T:
        deadline = monotonic() + PATIENCE_S
        while not (found := value()):
            if monotonic() > deadline:
                raise DemoError(f"{what} did not come within {PATIENCE_S:g} s; see {self._out / 'demo.log'}")
            self._tick()
        return found

    def _tick(self) -> None:
        """A moment's rest: raises when the user wants to stop or a child has ended; passes on the daemon's reports."""
        if self._stop.wait(0.05):
            raise Stopped
        for child in self._children:
            if words := child.last_words:
                raise DemoError(f"`{child.command}` ended: {words}")
        report = self._daemon.status
        if report is not None and report is not self._reported:
            self._reported = report
            line = f"{self._look:<14} | {report}"
            if sys.stdout.isatty():
                logs.say(f"{logs.CLEAR_LINE}{line[: shutil.get_terminal_size().columns - 1]}", end="")
            else:
                logs.say(line)


def _default_port_is_free() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((OscConfig().host, OscConfig().port))
        except OSError:
            return False
    return True


def _welcome(page: str, clip: str, shown: str, host: str, port: int) -> str:
    send = f"from pythonosc.udp_client import SimpleUDPClient as C; C('{host}', {port}).send_message('/sdv2/noise_scale', 0.9)"
    python = Path(sys.executable)
    return f"""
Open this address: {page}
  the whole show, in your browser: the picture, and every control under your hand

NDI source in    {clip}
NDI source out   {shown}
OSC              {host}:{port}, addresses under /sdv2/

Four more things to try:
  1. See it: open the NDI source '{shown}' in OBS, Resolume or NDI Studio Monitor. What is on the network:
       {python.with_name("sdv2-live")} sources
  2. Another look (oscsend is in the package liblo-tools):
       oscsend {host} {port} /sdv2/prompt s "A city of paper lanterns at night, warm light, deep shadows"
  3. More of the look, less of the input, from Python:
       {python} -c "{send}"
  4. Softer: without the input's fine lines, which 0.8 brings back:
       oscsend {host} {port} /sdv2/detail f 0
"""
