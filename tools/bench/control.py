"""Measure control: a flood of OSC, and the time from a prompt message to its first picture. Used by bench.py --live.

The show runs in this process with the test card as input and a sink that notes when frames are sent; OSC comes from another.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import psutil
from pythonosc.udp_client import SimpleUDPClient

from sdv2_live.chunk import Chunk, Generated
from sdv2_live.config.load import load_config
from sdv2_live.control.store import Applied
from sdv2_live.frame import Frame
from sdv2_live.show.show import Show
from sdv2_live.stats import Window

ADDRESSES = [f"/sdv2/prompt/{i}/weight{form}" for i in range(1, 9) for form in ("", "/norm")]
ADDRESSES += ["/sdv2/noise_scale", "/sdv2/noise_scale/norm", "/sdv2/mix", "/sdv2/mix/norm"]

FLOOD = """
import socket, struct, sys, time
port, rate, seconds, addresses = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4].split(",")
def packet(address, value):
    name = address.encode() + b"\\0"
    return name + b"\\0" * (-len(name) % 4) + b",f\\0\\0" + struct.pack(">f", value)
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
begin, sent, total = time.monotonic(), 0, int(rate * seconds)
while sent < total:
    due = min(int((time.monotonic() - begin) * rate), total)
    while sent < due:
        sock.sendto(packet(addresses[sent % len(addresses)], 0.3 + 0.4 * (sent % 1000) / 1000), ("127.0.0.1", port))
        sent += 1
    time.sleep(0.001)
for address in addresses:
    sock.sendto(packet(address, 0.625), ("127.0.0.1", port))
print(time.monotonic_ns(), sent, time.monotonic() - begin)
"""


@contextmanager
def showing(options: argparse.Namespace) -> Iterator[Show]:
    """A running show on the test card."""
    keys = ["osc.port=0", "input.source=test:360x640", "output.sink=none", f"video.size={options.size}", *options.set]
    config = load_config(None, [*keys, f"model.profile={options.model}", f"model.device={options.device}"])
    with Show(config) as show:
        threading.Thread(target=show.start, daemon=True).start()
        deadline = time.monotonic() + 60
        while show.counters["chunks"] < 12 and time.monotonic() < deadline:
            time.sleep(0.05)
        yield show


def watched(show: Show, seconds: float) -> dict[str, float]:
    """What the frame path does in the next seconds."""
    before, begin = show.counters.snapshot(), time.monotonic()
    time.sleep(seconds)
    after, elapsed = show.counters.snapshot(), time.monotonic() - begin
    names = ("frames_in", "chunks", "frames_skipped", "frames_late", "frames_failed", "engine_failures")
    return {name: round((after.get(name, 0) - before.get(name, 0)) / elapsed, 2) for name in names}


def flood(options: argparse.Namespace) -> dict[str, Any]:
    """10,000 messages a second on 20 addresses, against the same show left alone and against the same flood sent elsewhere,
    which takes the sender's share of the machine but reaches nobody."""
    rate = 10_000
    with showing(options) as show:
        applied: list[tuple[int, Applied]] = []
        show.store.add_applied_listener(lambda event: applied.append((time.monotonic_ns(), event)))
        quiet = watched(show, min(options.seconds, 15.0))
        rss = _rss_mb()
        osc = show.control.osc
        assert osc is not None

        def flooding(port: int) -> tuple[dict[str, float], str]:
            command = [sys.executable, "-c", FLOOD, str(port), str(rate), str(options.seconds), ",".join(ADDRESSES)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sender:
                return watched(show, options.seconds), sender.communicate()[0]

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
            nobody.bind(("127.0.0.1", 0))
            elsewhere, _ = flooding(nobody.getsockname()[1])
        flooded, out = flooding(osc.port)
        last_ns, sent, took = out.split()
        time.sleep(1.0)
        params = show.store.latest()
        first_after = next((t for t, event in applied if t >= int(last_ns)), None)
        return {
            "flood": f"{int(sent)} messages in {float(took):.1f} s on {len(ADDRESSES)} addresses",
            "quiet_per_second": quiet,
            "flood_elsewhere_per_second": elsewhere,
            "flooded_per_second": flooded,
            "packets_received": osc.counters.packets + osc.counters.coalesced,
            "coalesced": osc.counters.coalesced,
            "refused": osc.counters.refused,
            "last_values_applied": abs(params.noise_scale - 0.625) < 0.01 and all(abs(w - 0.625) < 0.01 for w in params.weights),
            "last_message_to_chunk_ms": None if first_after is None else round((first_after - int(last_ns)) / 1e6, 1),
            "memory_mb": {"before": rss, "after": _rss_mb()},
        }


def prompt(options: argparse.Namespace) -> dict[str, Any]:  # of the functions it puts into the show
    """From the sending of a prompt to the chunk that is first painted with it, and to the sending of its first frame."""
    with showing(options) as show:
        client = SimpleUDPClient("127.0.0.1", show.control.osc.port if show.control.osc else 0)
        engine, sink = show.engine, show.playout.sink
        began = threading.Event()
        chunk_ns = [0]
        sent: list[tuple[int, int]] = []  # (when, capture time of the frame)
        launch, send = engine.launch, sink.send

        def noting_launch(chunk: Chunk, **keys: Any) -> Future[Generated]:
            begin = time.monotonic_ns()

            def note(done: Future[Generated]) -> None:
                if done.result().recipe.prompt.began:
                    chunk_ns[0] = begin
                    began.set()

            launched = launch(chunk, **keys)
            launched.add_done_callback(note)
            return launched

        def noting_send(frame: Frame) -> None:
            sent.append((time.monotonic_ns(), frame.captured_ns))
            send(frame)

        engine.launch = noting_launch  # type: ignore[method-assign]
        sink.send = noting_send  # type: ignore[method-assign]
        rows: dict[str, dict[str, Window]] = {}
        for kind in ("uncached", "cached"):
            to_chunk, to_frame = Window(), Window()
            for i in range(10):
                began.clear()
                newest = show.intake.newest(1.0)
                asked = time.monotonic_ns()
                client.send_message("/sdv2/prompt", f"A lighthouse on a cliff in a storm, number {i}, " + "rain and foam, " * 20)
                if not began.wait(20):
                    continue
                to_chunk.add((chunk_ns[0] - asked) / 1e6)
                first = next(_wait_for(sent, chunk_ns[0], newest), None)
                if first is not None:
                    to_frame.add((first - asked) / 1e6)
            rows[kind] = {"to_chunk_ms": to_chunk, "to_first_frame_ms": to_frame}
        chunk = show.engine.timer.summaries()["chunk"]
        latency = show.playout.latency.summary()
        result: dict[str, Any] = {"chunk_ms": chunk.p50, "pipeline_latency_ms": latency.p50}
        for kind, windows in rows.items():
            for name, window in windows.items():
                summary = window.summary()
                result[f"{kind} {name}"] = {"p50": summary.p50, "max": summary.max, "count": summary.count}
        return result


def _wait_for(sent: list[tuple[int, int]], chunk_ns: int, newest: Frame | None) -> Iterator[int]:
    """When the first frame was sent whose input came after `newest`, that is, of the chunk that began at `chunk_ns`."""
    deadline = time.monotonic() + 10
    after = newest.captured_ns if newest is not None else 0
    while time.monotonic() < deadline:
        for when, captured in list(sent):
            if when > chunk_ns and captured > after:
                yield when
                return
        time.sleep(0.002)


def _rss_mb() -> float:
    return round(float(psutil.Process().memory_info().rss) / 2**20, 1)
