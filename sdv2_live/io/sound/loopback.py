"""What this machine plays, by its sound server."""

from __future__ import annotations

import logging
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

log = logging.getLogger("sdv2_live.ears")

CHANNELS = 2
LENGTH = 480  # samples of a block


class LoopbackInput(Port):
    """Listens to the output that a name means, see `match_input`. It tells no delay of its own: `tempo/offset_ms` is for that.

    Args:
        pattern: its name, or a part; empty for the default output.
        on_block: called with each block on a thread of its own; must not block.

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
        self._rate = output.rate
        self._microphone = library.get_microphone(output.index, include_loopback=True)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="loopback", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            with self._microphone.recorder(samplerate=self._rate, channels=CHANNELS, blocksize=LENGTH) as recorder:
                while not self._closing:
                    self._hear(recorder)
        except Exception:  # the thread's top: nothing is heard any more, and who listens opens it again
            log.debug("%s ended", self.name, exc_info=True)

    def _hear(self, recorder: Any) -> None:
        samples = np.asarray(recorder.record(numframes=LENGTH), np.float32)
        began_ns = monotonic_ns() - len(samples) * 1_000_000_000 // self._rate
        self._on_block(AudioBlock(np.ascontiguousarray(samples.T), self._rate, began_ns))

    def close(self) -> None:
        """Stop listening. Idempotent."""
        self._closing = True
        ended(self._thread)
