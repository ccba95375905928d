"""A sound card that can be pulled out."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from sdv2_live.errors import SoundError
from sdv2_live.io.audio import AudioBlock
from sdv2_live.system.clock import monotonic_ns

RATE = 48_000
LENGTH = 480


class FakeCard:
    """Opens as an input; gives a block each 10 ms while it is plugged in, and is not there while it is not.

    Attributes:
        crashes: it is gone with its process; else its driver is silent.
        opened: times that it was.
    """

    def __init__(self, sound: Callable[[int], np.ndarray] = lambda first: np.full((2, LENGTH), 0.1, np.float32)) -> None:
        """sound: gives the block that begins with a sample."""
        self.plugged, self.crashes = True, False
        self.opened = 0
        self._sound = sound

    def open(self) -> FakeInput:
        if not self.plugged:
            raise SoundError("there is no sound card input 'fake'; there are: none")
        self.opened += 1
        return FakeInput(self, self._sound)


class FakeInput:
    def __init__(self, card: FakeCard, sound: Callable[[int], np.ndarray]) -> None:
        self.name = "card:fake"
        self._card, self._sound = card, sound
        self._begin_ns, self._first = monotonic_ns(), 0
        self._closed = threading.Event()

    def read(self, timeout: float) -> AudioBlock | None:
        assert not self._closed.is_set()
        if not self._card.plugged and self._card.crashes:
            raise SoundError("card:fake is gone")
        at_ns = self._begin_ns + self._first * 1_000_000_000 // RATE
        wait = (at_ns + LENGTH * 1_000_000_000 // RATE - monotonic_ns()) / 1e9
        self._closed.wait(max(min(wait, timeout), 0) if self._card.plugged else timeout)
        if not self._card.plugged or wait > timeout:
            return None
        self._first += LENGTH
        return AudioBlock(self._sound(self._first - LENGTH), RATE, at_ns)

    def close(self) -> None:
        self._closed.set()
