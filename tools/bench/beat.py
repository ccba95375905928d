"""Measure how near to the beat a launch is seen, at an independent NDI receiver. Used by bench.py --live beat.

This process is the music: it leads the daemon's tempo by OSC, so it knows each beat to the nanosecond. It recalls two presets in
turn, of which one shows the input and the other the painting, and notes when the first picture of the other kind comes to a
receiver that others wrote (cyndilib). Errors hold the way over NDI, too, which is told beside them.

Cases: the engine keeps up with the input (30 frames a second) or is overloaded (60, where it does not hold those), each with
launches that are steered, that are not, and without compensation: sent on the beat, with tempo/quantise none.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from cyndilib import Finder, Receiver, RecvBandwidth, RecvColorFormat, VideoFrameSync
from pythonosc.udp_client import SimpleUDPClient

from sdv2_live.errors import VideoError

from .live import READY_S, Rig, _set, rigged

BPM = 75.0  # a beat is long: what is meant for one is not taken for the next
BEAT_NS = round(60e9 / BPM)
KINDS = ("input", "painting")
GRAIN = 8  # a picture is compared by so many means of its rows and columns
SETTLE_S = 4.0  # until the kinds of pictures are looked at, and until a launch counts as missed
NEWS_S = 0.05
POLL_S = 0.003  # between two looks for a new picture


class Receiving:
    """Receives a source on a thread of its own. `at` tells when the kind of its pictures became another."""

    def __init__(self, name: str) -> None:
        finder = Finder()  # asked, never opened: see tests/support/ndi_client.py
        deadline = time.monotonic() + READY_S
        while (full := next((one for one in finder.update_sources() if f"({name})" in one), None)) is None:
            if time.monotonic() > deadline:
                raise VideoError(f"'{name}' was not announced within {READY_S:g} s")
            time.sleep(0.1)
        self._receiver = Receiver(color_format=RecvColorFormat.RGBX_RGBA, bandwidth=RecvBandwidth.highest)
        self._frame, self._stamp = VideoFrameSync(), 0.0
        self._receiver.frame_sync.set_video_frame(self._frame)
        self._receiver.set_source(finder.get_source(full))
        self._finder = finder
        self.looks: dict[str, np.ndarray] = {}
        self.newest: np.ndarray | None = None
        self.count = 0
        self._kind, self._since_ns = "", 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._stop.set()
        self._thread.join()
        self._receiver.disconnect()

    def learn(self, kind: str, seconds: float = 1.0) -> None:
        """Take the pictures of the next time as those of `kind`. Raises VideoError when none come."""
        seen, end, count = [], time.monotonic() + seconds, self.count
        while time.monotonic() < end:
            time.sleep(0.02)
            if self.newest is not None and self.count > count:
                seen.append(self.newest)
        if not seen:
            raise VideoError("no frames arrive")
        self.looks[kind] = np.mean(seen, axis=0)

    def at(self, kind: str, timeout: float) -> int | None:
        """When the pictures became those of `kind`; None when they do not in that time."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self._kind == kind:
                return self._since_ns
            time.sleep(0.005)
        return None

    def _run(self) -> None:
        while not self._stop.is_set():
            time.sleep(POLL_S)
            self._receiver.frame_sync.capture_video()
            width, height = self._frame.get_resolution()
            if not width or not height or (stamp := self._frame.get_timestamp_posix()) == self._stamp:
                continue
            self._stamp = stamp
            now = time.monotonic_ns()
            pixels = self._frame.get_array().reshape(height, -1)[:, : 4 * width].reshape(height, width, 4)
            small = pixels[::4, ::4, :3]
            rows, columns = small.shape[0] // GRAIN, small.shape[1] // GRAIN
            blocks = small[: rows * GRAIN, : columns * GRAIN].reshape(GRAIN, rows, GRAIN, columns, 3)
            self.newest = blocks.mean(axis=(1, 3))
            self.count += 1
            if len(self.looks) == len(KINDS):
                kind = min(KINDS, key=lambda one: float(np.abs(self.looks[one] - self.newest).sum()))
                if kind != self._kind:
                    self._kind, self._since_ns = kind, now


class Music:
    """Leads the tempo of a daemon. Beat 0 was when it began."""

    def __init__(self, client: SimpleUDPClient) -> None:
        self._client, self._began = client, time.monotonic_ns()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._stop.set()
        self._thread.join()

    def beside(self, at_ns: int) -> float:
        """Milliseconds from the nearest beat, later ones above 0."""
        past = (at_ns - self._began) % BEAT_NS
        return (past if past <= BEAT_NS // 2 else past - BEAT_NS) / 1e6

    def next_beat(self) -> int:
        """Wait for the next beat, and return its time."""
        now = time.monotonic_ns()
        at = self._began + -(-(now - self._began) // BEAT_NS) * BEAT_NS
        time.sleep((at - now) / 1e9)
        return at

    def _run(self) -> None:
        while not self._stop.wait(NEWS_S):
            self._client.send_message("/sdv2/tempo/clock", ["osc", BPM, (time.monotonic_ns() - self._began) / BEAT_NS, 0.0])


def beat(options: argparse.Namespace) -> dict[str, Any]:
    """The error of launches in milliseconds, of each case."""
    return cases(options) if "NDI_CONFIG_DIR" in os.environ else again()


def again() -> dict[str, Any]:
    """The same in another process. cyndilib has no way to name addresses to ask, so a file has to tell the SDK to ask the
    loopback, and this process has loaded it by now."""
    with tempfile.TemporaryDirectory(prefix="bench-beat-ndi-") as folder:
        networks = {"ips": ",".join(f"127.0.0.{i}" for i in range(1, 33))}  # see sdv2_live.io.ndi.lib
        Path(folder, "ndi-config.v1.json").write_text(json.dumps({"ndi": {"networks": networks}}), encoding="utf-8")
        environment = {**os.environ, "NDI_CONFIG_DIR": folder}
        done = subprocess.run([*sys.orig_argv, "--json"], env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise VideoError("the measurement has failed, see above")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def cases(options: argparse.Namespace) -> dict[str, Any]:
    result: dict[str, Any] = {"beat": f"{options.model}, {options.size}, {options.launches} launches a case, {BPM:g} bpm"}
    for load, rate in (("keeping up", 30), ("overloaded", 60)):
        for steer in (True, False):
            with launching(options, rate, steer) as (rig, client, receiving, music, port):
                way = "steered" if steer else "not steered"
                result[f"{load}, {way}"] = launches(options.launches, client, receiving, music) | figures(rig, port)
                if not steer:
                    result[f"{load}, without compensation"] = launches(options.launches, client, receiving, music, by_hand=True)
    return result


@contextmanager
def launching(
    options: argparse.Namespace, rate: int, steer: bool
) -> Iterator[tuple[Rig, SimpleUDPClient, Receiving, Music, int]]:
    """A daemon that is received and led, and knows the two presets."""
    with tempfile.TemporaryDirectory(prefix="bench-beat-") as folder:
        for mix, kind in enumerate(KINDS):
            Path(folder, f"{kind}.yaml").write_text(f"name: {kind}\nparams: {{mix: {mix}}}\n", encoding="utf-8")
        port = free_port()
        keys = ["tempo.source=osc", f"tempo.steer={str(steer).lower()}", f"presets.dir={folder}", f"osc.port={port}"]
        keys += (f"video.size={options.size}", f"model.device={options.device}", "state.dir=off")
        settings = [part for key in keys for part in ("--set", key)]
        with rigged((360, 640), rate, "--model", options.model, *settings, *_set(options), code=False) as rig:
            client = SimpleUDPClient("127.0.0.1", port)
            ready(rig, port)  # before anybody looks for it: a finder's connections reach whoever sends by then
            receiving, music = Receiving(rig.name_out), Music(client)
            try:
                for kind in KINDS:
                    client.send_message("/sdv2/preset", kind)
                    time.sleep(SETTLE_S)
                    receiving.learn(kind)
                yield rig, client, receiving, music, port
            finally:
                music.close()
                receiving.close()


def launches(count: int, client: SimpleUDPClient, receiving: Receiving, music: Music, *, by_hand: bool = False) -> dict[str, Any]:
    """Launch so often, at any moment between two beats, or on the beat itself."""
    client.send_message("/sdv2/tempo/quantise", "none" if by_hand else "beat")
    rng, errors, missed = random.Random(1), [], 0
    kind = KINDS[1]
    for number in range(count):
        kind = KINDS[number % 2]
        time.sleep(0.3 + rng.random() * BEAT_NS / 1e9)
        asked = music.next_beat() if by_hand else 0
        client.send_message("/sdv2/preset", kind)
        seen = receiving.at(kind, SETTLE_S)
        if seen is None:
            missed += 1
        else:
            errors.append((seen - asked) / 1e6 if by_hand else music.beside(seen))
    found = np.array(errors or [np.nan])
    near = np.abs(found - np.median(found) * by_hand)
    return {
        "launches": len(errors),
        "missed": missed,
        "median_ms": round(float(np.median(found)), 1),
        "p5_ms": round(float(np.percentile(found, 5)), 1),
        "p95_ms": round(float(np.percentile(found, 95)), 1),
        "95 % within ms": round(float(np.percentile(near if by_hand else np.abs(found), 95)), 1),
    }


def figures(rig: Rig, port: int) -> dict[str, Any]:
    """What the daemon says of itself."""
    page = metrics(port)
    total = lambda name: sum(float(found) for found in re.findall(rf"^sdv2_{name}(?:_total)? (\S+)", page, re.M))  # noqa: E731
    return {
        "frames left out a launch": round(total("frames_left_out") / max(total("launch_launched"), 1), 2),
        "fps in, painted": f"{total('fps_in'):.1f}, {total('fps_painted'):.1f}",
    }


def ready(rig: Rig, port: int) -> None:
    """Wait until the daemon paints. Raises VideoError when it does not."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if rig.process.poll() is not None:
            break
        try:
            if (painted := re.search(r"^sdv2_chunks(?:_total)? (\S+)", metrics(port), re.M)) and float(painted[1]) > 20:
                return
        except OSError:
            pass  # it does not listen yet
        time.sleep(0.2)
    raise VideoError(f"the daemon does not paint: {''.join(rig.lines[-3:])}")


def metrics(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


def free_port() -> int:
    """A UDP port that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
