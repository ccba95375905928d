"""Measure the whole daemon over real NDI on this machine: latency, bypass, memory. Used by bench.py --live.

Sender and receiver live in this process, the daemon in another. Each frame carries the time it was sent in its own pixels
(64 blocks of luma), so that lost frames and the time under way are read off the picture that arrives.
"""

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import psutil

from sdv2_live.errors import VideoError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.ndi.settings import NdiSettings
from sdv2_live.io.ndi.sink import NdiSink
from sdv2_live.io.ndi.source import NdiSource
from sdv2_live.io.synthetic import TestSource
from sdv2_live.stats import Window

BITS = 64
BLOCK = 16  # pixels; the codec leaves flat blocks of this size alone
READY_S = 60.0


def coded(picture: np.ndarray, value: int) -> np.ndarray:
    """UYVY rows (H, 2W) with `value` written as two rows of 32 black or white blocks at the top."""
    rows = picture.copy()
    for bit in range(BITS):
        y, x = (bit // 32) * BLOCK, (bit % 32) * BLOCK * 2
        rows[y : y + BLOCK, x : x + 2 * BLOCK : 2] = 128
        rows[y : y + BLOCK, x + 1 : x + 2 * BLOCK : 2] = 235 if value >> bit & 1 else 16
    return rows


def decoded(frame: Frame) -> int:
    """The value in a UYVY frame."""
    value = 0
    for bit in range(BITS):
        y, x = (bit // 32) * BLOCK + BLOCK // 2, ((bit % 32) * BLOCK + BLOCK // 2) * 2
        value |= int(frame.data[y, x + 1] > 125) << bit
    return value


@dataclass
class Sent:
    """What a sender did."""

    times: list[int] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)


def send(name: str, size: tuple[int, int], rate: int, sent: Sent, *, code: bool) -> None:
    """Publish a moving card at a steady rate, each frame stamped with the moment it is sent."""
    height, width = size
    with TestSource(height, width, Fraction(rate), realtime=False) as card:
        frames = [card.read(1.0) for _ in range(rate)]
    pictures = [uyvy(frame) for frame in frames if frame is not None]
    with NdiSink(name, NdiSettings()) as sink:
        begin = time.monotonic()
        count = 0
        while not sent.stop.wait(max(begin + count / rate - time.monotonic(), 0)):
            now = time.monotonic_ns()
            rows = coded(pictures[count % rate], now) if code else pictures[count % rate]
            sink.send(Frame(rows, width, height, PixelFormat.UYVY, Fraction(rate), now, count))
            sent.times.append(now)
            count += 1


def uyvy(frame: Frame) -> np.ndarray:
    """A frame's luma as UYVY rows; the colour does not matter here."""
    luma = frame.data.reshape(frame.height, -1, 4)[:, : frame.width, 1] // 2 + 32
    rows = np.full((frame.height, frame.width * 2), 128, np.uint8)
    rows[:, 1::2] = luma
    return rows


@contextmanager
def daemon(*options: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A running daemon, and the lines it prints."""
    command = [sys.executable, "-m", "sdv2_live", "run", "--set", "osc.port=0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines: list[str] = []
    assert process.stdout is not None
    stream = process.stdout
    reader = threading.Thread(target=lambda: lines.extend(iter(stream.readline, "")), daemon=True)
    reader.start()
    try:
        yield process, lines
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        reader.join(5)


@dataclass(frozen=True)
class Rig:
    """Names of the NDI sources, what was sent, the daemon and the lines it printed."""

    name_in: str
    name_out: str
    sent: Sent
    process: subprocess.Popen[str]
    lines: list[str]


@contextmanager
def rigged(size: tuple[int, int], rate: int, *options: str, code: bool = True) -> Iterator[Rig]:
    """A sender and a daemon on it."""
    tag = uuid.uuid4().hex[:8]
    name_in, name_out, sent = f"bench-in-{tag}", f"bench-out-{tag}", Sent()
    thread = threading.Thread(target=send, args=(name_in, size, rate, sent), kwargs={"code": code}, daemon=True)
    thread.start()
    try:
        with daemon("--input", f"ndi:{name_in}", "--output", f"ndi:{name_out}", *options) as (process, lines):
            yield Rig(name_in, name_out, sent, process, lines)
    finally:
        sent.stop.set()
        thread.join(10)


def receive(name: str, seconds: float, on_frame: Callable[[Frame, int], None], rig: Rig) -> None:
    """Receive for so long, counted from the first frame. Raises VideoError when none comes or the daemon ends."""
    with NdiSource(name) as source:
        deadline = time.monotonic() + READY_S
        end = None
        while time.monotonic() < (end or deadline):
            frame = source.read(0.25)
            if rig.process.poll() is not None:
                raise VideoError(f"the daemon ended: {''.join(rig.lines[-3:])}")
            if frame is not None:
                now = time.monotonic_ns()
                end = end or time.monotonic() + seconds
                on_frame(frame, now)
        if end is None:
            raise VideoError(f"no frame of '{name}' arrived within {READY_S:g} s")


def hop(name: str, seconds: float, rig: Rig, skip_s: float = 2.0) -> tuple[Window, list[int]]:
    """Milliseconds under way of each coded frame, and the codes in order, the first `skip_s` seconds left out."""
    window, begin = Window(1_000_000), 0
    codes: list[int] = []

    def on_frame(frame: Frame, now: int) -> None:
        nonlocal begin
        begin = begin or now
        code = decoded(frame)
        if now - begin > skip_s * 1e9 and (not codes or code != codes[-1]):
            window.add((now - code) / 1e6)
            codes.append(code)

    receive(name, seconds + skip_s, on_frame, rig)
    return window, codes


def lost(codes: list[int], sent: Sent) -> tuple[int, int]:
    """(frames sent between the first and the last that arrived, those of them that did not arrive)."""
    expected = [t for t in sent.times if codes[0] <= t <= codes[-1]]
    return len(expected), len(set(expected) - set(codes))


def bypass(options: argparse.Namespace) -> dict[str, Any]:
    """1280x720 at 60 fps through a daemon in bypass, against a direct hop measured with the same daemon running."""
    size, rate = (720, 1280), 60
    with rigged(size, rate, "--model", "tiny", "--set", "params.bypass=true", *_set(options)) as rig:
        through, codes = hop(rig.name_out, options.seconds, rig)
        expected, missing = lost(codes, rig.sent)
        direct, _ = hop(rig.name_in, min(options.seconds, 10.0), rig)
    a, b = through.summary(), direct.summary()
    return {
        "bypass": f"{size[1]}x{size[0]} at {rate} fps, {options.seconds:g} s",
        "frames_sent": expected,
        "frames_lost": missing,
        "through_ms": {"p50": a.p50, "p95": a.p95, "p99": a.p99, "max": a.max},
        "direct_ms": {"p50": b.p50, "p95": b.p95, "p99": b.p99, "max": b.max},
        "added_ms": {"p50": a.p50 - b.p50, "p95": a.p95 - b.p95},
        "frame_time_ms": 1000 / rate,
    }


def latency(options: argparse.Namespace) -> dict[str, Any]:
    """NDI in to NDI out with a model: capture to send inside the daemon, as its status line says."""
    rate = 30
    model = ("--model", options.model, "--device", options.device, "--set", f"video.size={options.size}")
    with rigged((360, 640), rate, *model, *_set(options), code=False) as rig:
        gaps, last = Window(1_000_000), 0

        def on_frame(frame: Frame, now: int) -> None:
            nonlocal last
            if last:
                gaps.add((now - last) / 1e6)
            last = now

        receive(rig.name_out, options.seconds, on_frame, rig)
    found = re.search(
        r"painted +([\d.]+) fps.*latency +(\d+) ms \(p95 +(\d+)\).*skipped (\d+), repeated (\d+), late (\d+)", rig.lines[-1]
    )
    if found is None:
        raise VideoError(f"the daemon's last line says nothing of latency: {rig.lines[-1:]}")
    gap = gaps.summary()
    return {
        "latency": f"NDI in to NDI out, {options.model}, {options.size}, input {rate} fps, {options.seconds:g} s",
        "latency_ms": {"p50": int(found[2]), "p95": int(found[3]), "minimum (3 frames)": 3000 / rate},
        "fps_painted": float(found[1]),
        "skipped": int(found[4]),
        "repeated": int(found[5]),
        "late": int(found[6]),
        "output_gap_ms": {"p50": gap.p50, "p95": gap.p95, "p99": gap.p99, "max": gap.max},
    }


def memory(options: argparse.Namespace) -> dict[str, Any]:
    """Resident memory of a daemon that paints and is watched, after a tenth of the time and at the end."""
    rows: dict[str, float] = {}
    with rigged((360, 640), 30, "--model", "tiny", *_set(options), code=False) as rig:

        def sample(at: float) -> float:
            rows[f"{at:.0f} s"] = round(psutil.Process(rig.process.pid).memory_info().rss / 2**20, 1)
            return rows[f"{at:.0f} s"]

        marks = [options.seconds * part for part in (0.1, 0.25, 0.5, 0.75, 1.0)]
        begin = time.monotonic()

        def on_frame(frame: Frame, now: int) -> None:
            if marks and time.monotonic() - begin >= marks[0]:
                sample(marks.pop(0))

        receive(rig.name_out, options.seconds + 1, on_frame, rig)
    values = list(rows.values())
    return {"resident_mb": rows, "growth_percent": round((values[-1] / values[0] - 1) * 100, 2)}


def _set(options: argparse.Namespace) -> list[str]:
    return [part for value in options.set for part in ("--set", value)]
