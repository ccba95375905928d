"""What this machine plays, by its sound server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from sdv2_live.errors import SoundError
from sdv2_live.io.audio import AudioBlock
from sdv2_live.io.base import Port
from sdv2_live.io.sound.lib import list_loopbacks, load_soundcard, match_input
from sdv2_live.system.clock import monotonic_ns
from sdv2_live.threads import ended

CHANNELS = 2
RATE = 48_000
LENGTH = 1600  # samples of a block


class LoopbackInput(Port):
    """Listens to the output that a name means, see `match_input`. The sound server tells no delay.

    Args:
        pattern: its name, or a part; empty for the default output.
        on_block: called with each block on a thread of its own.

    Raises:
        SoundError: there is no such output, or nothing can listen to it.
    """

    def __init__(self, pattern: str, on_block: Callable[[AudioBlock], None]) -> None:
        library = load_soundcard()
        found = list_loopbacks()
        output = match_input(pattern, found)
        if output is None:
            there = ", ".join(f"'{one.name}'" for one in found) or "none"
            raise SoundError(f"there is no output '{pattern}' to listen to; there are: {there}")
        self.name = output.use
        self._on_block = on_block
        self._microphone = library.get_microphone(output.index, include_loopback=True)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="loopback", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with self._microphone.recorder(samplerate=RATE, channels=CHANNELS, blocksize=LENGTH) as recorder:
            while not self._closing:
                self._hear(recorder)

    def _hear(self, recorder: Any) -> None:
        samples = np.asarray(recorder.record(numframes=LENGTH), np.float32)
        self._on_block(AudioBlock(samples.T, RATE, monotonic_ns() - len(samples) * 1_000_000_000 // RATE))

    def close(self) -> None:
        """Stop listening. Idempotent."""
        self._closing = True
        ended(self._thread)
