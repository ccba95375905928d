"""The daemon as its users run it: a process of its own, with what it prints and its OSC port."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pythonosc.udp_client import SimpleUDPClient

from support.ndi_client import unique_name
from support.systems import INTERRUPTIBLE, interrupt
from support.waiting import DEADLINE_S, eventually

DAEMON_S = max(DEADLINE_S, 90.0)  # until it is ready


class Daemon:
    """A running `sdv2-live run`, its printed lines and its OSC port."""

    def __init__(self, *options: str, environment: Mapping[str, str] | None = None, output: str | None = None) -> None:
        """output: name of its NDI output; None makes one."""
        self.environment = os.environ | (environment or {})
        self.output = output or unique_name("show-out")
        command = [
            sys.executable,
            "-m",
            "sdv2_live",
            "run",
            "--model",
            "tiny",
            "--device",
            "cpu",
            "--output",
            f"ndi:{self.output}",
        ]
        keys = ("osc.port=0", "model.prompt_cache=off", "video.size=64x64", "model.threads=1")
        settings = [part for key in keys for part in ("--set", key)]
        self.process = self.open([*command, *settings, *options])
        self.lines: list[str] = []
        self.log: list[str] = []
        for stream, lines in ((self.process.stdout, self.lines), (self.process.stderr, self.log)):
            assert stream is not None
            threading.Thread(target=lambda s=stream, to=lines: to.extend(iter(s.readline, "")), daemon=True).start()
        try:
            eventually("the daemon to be ready", lambda: self._ready() or self.process.poll() is not None, DAEMON_S)
        except AssertionError:
            self.process.kill()
            raise
        assert self.process.poll() is None, "".join(self.log)
        self.port = int(re.findall(r"osc://[\d.]+:(\d+)", "".join(self.lines))[0])
        self.client = SimpleUDPClient("127.0.0.1", self.port)

    def open(self, command: list[str]) -> subprocess.Popen[str]:
        """The process; its `stdout` and `stderr` are read to their end."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, env=self.environment, stdout=pipe, stderr=pipe, text=True, encoding="utf-8", **INTERRUPTIBLE
        )

    def _ready(self) -> bool:
        return any("osc://" in line for line in self.lines)

    def http(self) -> str:
        """Where OSCQuery and the metrics are answered, as the log says."""
        return eventually("the HTTP port", lambda: re.findall(r"(http://\S+) describes", "".join(self.log)), 60)[0]

    def osc(self, address: str, *values: str) -> None:
        """Send by liblo's oscsend where it is installed, else by python-osc. Whole numbers go as integers, others as text."""
        numbers = [value.isdigit() for value in values]
        if shutil.which("oscsend"):
            types = ["".join("i" if number else "s" for number in numbers)] if values else []
            subprocess.run(["oscsend", "127.0.0.1", str(self.port), address, *types, *values], check=True, timeout=DEADLINE_S)
        else:
            self.client.send_message(address, [int(v) if number else v for v, number in zip(values, numbers, strict=True)])


@contextmanager
def running(*options: str, output: str | None = None) -> Iterator[Daemon]:
    daemon = Daemon(*options, output=output)
    try:
        yield daemon
    finally:
        interrupt(daemon.process)
        assert daemon.process.wait(DEADLINE_S) == 0, "".join(daemon.log)
