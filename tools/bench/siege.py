"""Measure a show beside clients at their worst (clients.py). Used by bench.py --live siege.

The daemon paints `tiny` from its test card. Beside each client another one plays: it moves a fader and times how long it takes
until a third, which is subscribed, is told of the new value. That time includes the feedback's own pace, 33 ms at most.
What lasts when the client has gone is told so, and the daemon is started anew.
"""

from __future__ import annotations

import argparse
import random
import re
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
from pythonosc.osc_message_builder import build_msg

from .clients import CLIENTS

READY_S = 90.0
MOVES = 50
FADER = "noise_scale"
GIVE_UP_S = 5.0  # for one move of the fader
PACE_S = 0.05  # between moves
END_S = 10.0
NEWCOMER_S = 3.0
AROUND_S = 3.0  # how much longer than it is measured a client is at it
COUNTED = (("painted fps", "chunks_total", 4), ("out fps", "frames_out_total", 1), ("repeated fps", "frames_repeated_total", 1))


class Besieged:
    """A daemon, the hand that plays it and the ear that is told."""

    def __init__(self, options: argparse.Namespace) -> None:
        folder = Path(tempfile.mkdtemp(prefix="sdv2-siege-"))
        settings = ["osc.port=0", "osc.tcp=true", "oscquery.announce=false", f"video.size={options.size}"]
        settings += [f"state.dir={folder}/state", f"presets.dir={folder}/presets", f"log.file={folder}/show.log", *options.set]
        (folder / "presets").mkdir()
        for number in range(1, 9):
            (folder / "presets" / f"{number:02d}-look.yaml").write_text(f"params: {{prompt: look {number}}}\n")
        command = [sys.executable, "-m", "sdv2_live", "run", "--model", options.model, "--device", options.device]
        command += ["--input", "test:360x640", "--output", "none", *(part for one in settings for part in ("--set", one))]
        self._out = (folder / "out.txt").open("w+")
        self.process = psutil.Popen(command, stdout=self._out, stderr=subprocess.STDOUT)
        try:
            self.osc = int(self._printed(r"osc://[\d.]+:(\d+)"))
            self.http = int(self._printed(r"http://[\d.]+:(\d+)\S* describes"))
            self._wait(lambda: self.counters().get("chunks_total", 0.0) > 8, "it to paint")
        except TimeoutError:
            self.close()
            raise
        self.hand = self._socket()
        self.ear = self._socket()
        self.ear.sendto(build_msg("/sdv2/subscribe").dgram, ("127.0.0.1", self.osc))

    def _socket(self) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        return sock

    def _printed(self, pattern: str) -> str:
        text = Path(self._out.name)
        self._wait(lambda: re.search(pattern, text.read_text(encoding="utf-8")), pattern)
        return re.findall(pattern, text.read_text(encoding="utf-8"))[0]

    def _wait(self, condition: Callable[[], object], what: str) -> None:
        end = time.monotonic() + READY_S
        while not condition():
            if time.monotonic() > end or self.process.poll() is not None:
                raise TimeoutError(f"gave up waiting for {what}: {Path(self._out.name).read_text(encoding='utf-8')[-2000:]}")
            time.sleep(0.1)

    def counters(self, seconds: float = 5.0) -> dict[str, float]:
        """What the metrics page counts; empty when it does not answer in so many seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with suppress(OSError):
                with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/metrics", timeout=seconds) as page:
                    lines = page.read().decode().splitlines()
                return {k[5:]: float(v) for k, _, v in (one.rpartition(" ") for one in lines if not one.startswith("#"))}
            time.sleep(0.05)
        return {}

    def move(self, value: float) -> float | None:
        """Seconds until the ear is told of the fader's new value; None when it is not."""
        begin, wanted = time.monotonic(), struct.pack(">f", value)
        self.hand.sendto(build_msg(f"/sdv2/{FADER}", [value]).dgram, ("127.0.0.1", self.osc))
        while (left := begin + GIVE_UP_S - time.monotonic()) > 0:
            self.ear.settimeout(left)
            try:
                heard = self.ear.recv(65536)
            except TimeoutError:
                return None
            if heard.startswith(f"/sdv2/{FADER}\0".encode()) and heard.endswith(wanted):
                return time.monotonic() - begin
        return None

    def turned_away(self) -> list[str]:
        """Which of three newcomers are not served: a browser, a subscriber by UDP, one by TCP."""
        tries = {"HTTP": self._browse, "UDP": self._subscribe, "TCP": self._subscribe_by_tcp}
        refused = []
        for name, attempt in tries.items():
            try:
                attempt()
            except OSError:
                refused.append(name)
        return refused

    def _browse(self) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/?HOST_INFO", timeout=NEWCOMER_S) as page:
            page.read()

    def _subscribe(self) -> None:
        with self._socket() as sock:
            sock.settimeout(NEWCOMER_S)
            sock.sendto(build_msg("/sdv2/subscribe").dgram, ("127.0.0.1", self.osc))
            if sock.recv(65536).startswith(b"/sdv2/error"):
                raise ConnectionRefusedError
            sock.sendto(build_msg("/sdv2/unsubscribe").dgram, ("127.0.0.1", self.osc))

    def _subscribe_by_tcp(self) -> None:
        with socket.create_connection(("127.0.0.1", self.osc), NEWCOMER_S) as sock:
            packet = build_msg("/sdv2/subscribe").dgram
            sock.sendall(struct.pack(">I", len(packet)) + packet)
            if not (heard := sock.recv(65536)) or b"/sdv2/error" in heard:
                raise ConnectionRefusedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> float | None:
        """End it; the seconds that SIGTERM took, None when it had to be killed."""
        begin = time.monotonic()
        with suppress(psutil.NoSuchProcess):
            family = [self.process, *self.process.children(recursive=True)]
            self.process.terminate()
            try:
                self.process.wait(END_S)
            except psutil.TimeoutExpired:
                for one in family:
                    with suppress(psutil.NoSuchProcess):
                        one.kill()
                return None
        return time.monotonic() - begin


def beside(show: Besieged, client: str | None, seconds: float) -> dict[str, Any]:
    """One row: what the show does while `client` is at it."""
    command = [
        sys.executable,
        str(Path(__file__).with_name("clients.py")),
        str(client),
        str(show.osc),
        str(show.http),
        str(seconds + 2),
    ]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) if client else None
    time.sleep(AROUND_S / 2)
    before, cpu, begin = show.counters(), sum(show.process.cpu_times()[:2]), time.monotonic()
    times: list[float] = []
    lost = 0
    while (time.monotonic() - begin < seconds or len(times) < MOVES) and len(times) < 4 * MOVES and lost < 3:
        took = show.move(round(random.uniform(0.2, 0.9), 4))
        if took is None:
            lost += 1
        else:
            times.append(took * 1e3)
        time.sleep(PACE_S)
    after, elapsed = show.counters(), time.monotonic() - begin
    used = sum(show.process.cpu_times()[:2]) - cpu
    row: dict[str, Any] = {
        "fader p50 ms": round(statistics.median(times), 1) if times else None,
        "fader max ms": round(max(times), 1) if times else None,
        "moves": len(times),
        "moves lost": lost,
        "show's CPU": round(used / elapsed, 2),
        "memory MB": round(show.process.memory_info().rss / 2**20),
        "descriptors": show.process.num_fds(),
        "newcomers turned away": ", ".join(show.turned_away()) or "none",
        "metrics answered": bool(before and after),
    }
    if before and after:
        for title, counter, frames in COUNTED:
            row[title] = round(frames * (after.get(counter, 0.0) - before.get(counter, 0.0)) / elapsed, 1)
    if running is not None:
        try:
            row["client"] = running.communicate(timeout=seconds + 30)[0].strip()
        except subprocess.TimeoutExpired:
            running.kill()
            row["client"] = "did not end"
    return row


def siege(options: argparse.Namespace) -> dict[str, Any]:
    """A row for each client, the show alone first and last."""
    rows: dict[str, Any] = {}
    show = Besieged(options)
    names = [name for name in CLIENTS if not options.clients or name in options.clients.split(",")]
    try:
        for name in [None, *names, None]:
            row = beside(show, name, options.seconds)
            rows["alone" if name is None and not rows else name or "alone again"] = row
            time.sleep(2)
            if row["moves lost"] or not row["metrics answered"] or show.turned_away():
                row["lasts"] = True
                took = show.close()
                row["ended by SIGTERM after s"] = round(took, 1) if took is not None else "killed"
                show = Besieged(options)
            print(f"{name or 'alone'}: {row}", file=sys.stderr, flush=True)
    finally:
        took = show.close()
    return rows | {"end": {"SIGTERM to exit, s": round(took, 2) if took is not None else "killed"}}
