"""Who plays in a soak: a sender that changes, somebody at the controls, and a receiver."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from types import TracebackType
from typing import Any, Self

import numpy as np
from pythonosc.udp_client import SimpleUDPClient

from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.ndi.settings import NdiSettings
from sdv2_live.io.ndi.sink import NdiSink
from sdv2_live.io.ndi.source import NdiSource
from sdv2_live.io.synthetic import TestSource

from .live import uyvy

SIZES = ((180, 320), (240, 320), (360, 640))
RATE = 30
PICTURES = 15  # different ones of a size
PROMPTS = [f"{look} of {what}" for look in ("a pencil sketch", "golden hour", "a comic", "underwater") for what in
           ("a dancer", "two singers", "a crowd", "a hand", "a city at night", "a forest", "the sea", "smoke")]  # fmt: skip


class Camera:
    """A sender whose size changes, and that stops."""

    def __init__(self, name: str) -> None:
        self.size, self.on = SIZES[0], True
        self._name = name
        self._end = threading.Event()
        self._pictures = {size: _pictures(size) for size in SIZES}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with NdiSink(self._name, NdiSettings()) as sink:
            begin, count = time.monotonic(), 0
            while not self._end.wait(max(begin + count / RATE - time.monotonic(), 0)):
                height, width = self.size
                if self.on:
                    rows = self._pictures[self.size][count % PICTURES]
                    sink.send(Frame(rows, width, height, PixelFormat.UYVY, Fraction(RATE), time.monotonic_ns(), count))
                count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()


def _pictures(size: tuple[int, int]) -> list[np.ndarray]:
    with TestSource(*size, Fraction(RATE), realtime=False) as card:
        return [uyvy(frame) for frame in (card.read(1.0) for _ in range(PICTURES)) if frame is not None]


class Player:
    """Somebody who plays without thinking."""

    def __init__(self, port: int, camera: Camera, seed: int) -> None:
        self.osc = SimpleUDPClient("127.0.0.1", port)
        self.done: dict[str, int] = {}
        self._camera = camera
        self._draw = random.Random(seed)
        self._back_at = 0.0

    def warm_up(self) -> None:
        """Every prompt and size once: what is remembered of them is no growth later on."""
        for i, prompt in enumerate(PROMPTS):
            self._camera.size = SIZES[i % len(SIZES)]
            self._send("prompt", prompt)
            time.sleep(0.5)

    def play(self, now: float) -> None:
        """One thing, drawn at random; called some times a second."""
        if not self._camera.on:
            self._camera.on = now >= self._back_at
        kinds: Sequence[tuple[Callable[[], None], int]] = (
            (lambda: self._send("noise_scale", self._draw.uniform(0.2, 0.6)), 30),
            (lambda: self._send("mix", self._draw.uniform(0.5, 1)), 20),
            (lambda: self._send("prompt/2/weight", self._draw.random()), 10),
            (lambda: self._send("prompt", self._draw.choice(PROMPTS)), 10),
            (lambda: self._send("preset", self._draw.randrange(1, 9)), 4),
            (lambda: self._send("seed", self._draw.randrange(2**31)), 4),
            (lambda: self._send("steps", self._draw.choice(("400", "500", "600,300"))), 3),
            (lambda: self._send("transition_chunks", self._draw.randrange(8)), 3),
            (lambda: self._send("reset", 1), 2),
            (self._resize, 2),
            (self._lose, 1),
        )
        self._draw.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]()

    def _send(self, name: str, value: Any) -> None:
        self.done[name] = self.done.get(name, 0) + 1
        self.osc.send_message("/sdv2/" + name, value)

    def _resize(self) -> None:
        self.done["input size"] = self.done.get("input size", 0) + 1
        self._camera.size = self._draw.choice(SIZES)

    def _lose(self) -> None:
        self.done["input lost"] = self.done.get("input lost", 0) + 1
        self._camera.on, self._back_at = False, time.monotonic() + self._draw.uniform(0.5, 4)


class Watcher:
    """Receives the output, so that it is sent at all, and keeps the longest time without a frame."""

    def __init__(self, name: str) -> None:
        self.frames, self.longest_s = 0, 0.0
        self._name = name
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        last = 0.0
        with NdiSource(self._name) as source:
            while not self._end.is_set():
                if source.read(0.1) is not None:
                    now = time.monotonic()
                    self.longest_s = max(self.longest_s, now - last if last else 0.0)
                    self.frames, last = self.frames + 1, now

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()
