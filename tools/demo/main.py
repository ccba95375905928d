"""See sdv2-live at work on this machine, with nothing else installed: `python tools/demo.py [--seconds N]`.

Starts what a show consists of, each in a process of its own: a player that publishes the demo clip by NDI, and the daemon
that restyles it. Receives both pictures by NDI, walks through five looks by OSC, and writes to `out/`: demo.png (input above
output, one column a look), demo.mp4 (the restyled picture) and demo.log (all that the processes said).

Without --seconds it goes on after the five looks, for you to play, until Ctrl-C.
"""

from __future__ import annotations

import argparse
import logging
import re
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from pythonosc.udp_client import SimpleUDPClient

from sdv2_live.config.schema import OscConfig
from sdv2_live.errors import Sdv2Error
from sdv2_live.io.files.sink import FileSink

from .children import Child
from .sheet import Column, contact_sheet
from .tap import Tap, picture

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "sdv2_live" / "assets" / "demo.mp4"
LOOKS = {  # five of those that the embedded model knows by name (assets/MODEL_CARD.md)
    "Thermal camera": "thermal camera, a heat map in false colours",
    "Underwater": "underwater, deep under clear tropical water",
    "Pencil sketch": "a pencil sketch on white paper",
    "Golden hour": "golden hour, warm amber light of the low sun",
    "Comic": "a comic book panel, bold ink outlines and flat colours",
}
LOOK_S = 8.0  # each look, where --seconds does not say otherwise
PATIENCE_S = 180.0  # for a step of the start; a cold disk and a virus scanner take a minute to load PyTorch

T = TypeVar("T")


class DemoError(Sdv2Error):
    """The demo cannot go on; the message says why and what to look at."""


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

    def __init__(self, name: str, out: Path, stop: threading.Event, stack: ExitStack) -> None:
        self._name, self._out, self._stop, self._stack = name, out, stop, stack
        self._log = stack.enter_context((out / "demo.log").open("w", encoding="utf-8"))
        self._children: list[Child] = []
        self._columns: list[Column] = []
        self._clip, self._daemon = Said(), Said()
        self._look = "starting"
        self._reported: str | None = None

    def start(self) -> None:
        """Start both processes and wait for the first restyled frame. Raises DemoError."""
        source = f"file:{CLIP}" if CLIP.is_file() else "test:360x640"
        self._start(self._clip, "play", source, "--name", f"{self._name} clip")
        clip = self._wait("the clip's NDI source", lambda: self._clip.published)
        port = () if _default_port_is_free() else ("--set", "osc.port=0")
        daemon = ("run", "--input", f"ndi:{clip}", "--output", f"ndi:{self._name}", "--model", "tiny", *port)
        self._start(self._daemon, *daemon)
        shown = self._wait("the daemon's NDI source", lambda: self._daemon.published)
        self._input, self._output = self._tap(clip), self._tap(shown)
        host, port_number = self._wait("the daemon's OSC address", lambda: self._daemon.osc)
        self._client = SimpleUDPClient(host, port_number)
        self._wait("an input frame", lambda: self._input.count)
        self._wait("an output frame", lambda: self._output.count)
        self._wait("a restyled frame", lambda: self._daemon.number(r"painted +([\d.]+)"))
        page = self._wait("the page's address", lambda: self._daemon.page)
        print(_welcome(page, clip, shown, host, port_number))

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
        print(f"\nwrote {self._out / 'demo.png'} and {self._out / 'demo.mp4'} ({recorder.written} frames)")

    def play(self) -> None:
        """Leave the picture to the user."""
        self._look = "yours"
        print("Now the picture is yours: try the lines above. Ctrl-C ends the demo.")
        while True:
            self._tick()

    def _show(self, name: str, prompt: str, seconds: float) -> None:
        self._look = name
        self._client.send_message("/sdv2/prompt", prompt)
        seen = self._output.count
        until = time.monotonic() + seconds
        while time.monotonic() < until:
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
        deadline = time.monotonic() + PATIENCE_S
        while not (found := value()):
            if time.monotonic() > deadline:
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
                print(f"\r\033[K{line[: shutil.get_terminal_size().columns - 1]}", end="", flush=True)
            else:
                print(line, flush=True)


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

Three more things to try:
  1. See it: open the NDI source '{shown}' in OBS, Resolume or NDI Studio Monitor. What is on the network:
       {python.with_name("sdv2-live")} sources
  2. Another look (oscsend is in the package liblo-tools):
       oscsend {host} {port} /sdv2/prompt s "A city of paper lanterns at night, warm light, deep shadows"
  3. More of the look, less of the input, from Python:
       {python} -c "{send}"
"""


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, metavar="N", help="spread the five looks over N seconds, then stop")
    parser.add_argument("--out", type=Path, default=ROOT / "out", metavar="DIR", help="where to write (default: out/)")
    parser.add_argument("--name", default="sdv2-live", help="NDI name of the output (default: %(default)s)")
    options = parser.parse_args(given)
    if options.seconds is not None and options.seconds < len(LOOKS):
        parser.error(f"--seconds {options.seconds:g} is too short for {len(LOOKS)} looks; give at least {len(LOOKS)}")
    return options


def main(given: Sequence[str] | None = None) -> int:
    """Run the demo and return its exit status: 0 also when it was stopped by hand."""
    options = _arguments(given)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    stop = threading.Event()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):  # no SIGHUP on Windows
            signal.signal(getattr(signal, name), lambda *_: stop.set())
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            demo = Demo(options.name, options.out, stop, stack)
            print("starting the player and the daemon ...", flush=True)
            demo.start()
            demo.walk(LOOKS, options.seconds / len(LOOKS) if options.seconds else LOOK_S)
            if options.seconds is None:
                demo.play()
    except Stopped:
        print("\nstopped")
    except (Sdv2Error, OSError) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
