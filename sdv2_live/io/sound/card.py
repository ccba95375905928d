"""A sound card's input, by PortAudio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sdv2_live.errors import SoundError
from sdv2_live.io.audio import AudioBlock
from sdv2_live.io.base import Port
from sdv2_live.io.sound.lib import list_cards, load_portaudio, match_input
from sdv2_live.system.clock import monotonic_ns

CHANNELS = 2  # the first: what else an interface has is seldom music
BLOCKS_PER_S = 30


class CardInput(Port):
    """Listens to the card that a name means, see `match_input`.

    Args:
        pattern: its name, or a part; empty for the system's default.
        on_block: called with each block on PortAudio's thread. Its time is that of the sound at the input, as far as the driver
            knows its delay.

    Raises:
        SoundError: there is no such card, or it cannot be opened.
    """

    def __init__(self, pattern: str, on_block: Callable[[AudioBlock], None]) -> None:
        library = load_portaudio()
        found = list_cards()
        card = match_input(pattern, found)
        if card is None:
            there = ", ".join(f"'{one.name}'" for one in found) or "none"
            missing = f"sound card input '{pattern}'" if pattern else "default sound card"
            raise SoundError(f"there is no {missing}; there are: {there}")
        self.name = card.use
        self._on_block = on_block
        try:
            self._stream = library.InputStream(
                device=card.index,
                samplerate=card.rate,
                blocksize=card.rate // BLOCKS_PER_S,
                channels=min(card.channels, CHANNELS),
                dtype="float32",
                callback=self._hear,
            )
            self._rate = int(self._stream.samplerate)
            self._delay_ns = int(self._stream.latency * 1e9)
            self._stream.start()
        except (library.PortAudioError, ValueError) as error:
            raise SoundError(f"{self.name} cannot be opened: {error}; another program may have it") from error

    def _hear(self, samples: np.ndarray, length: int, times: Any, status: Any) -> None:
        began_ns = monotonic_ns() - length * 1_000_000_000 // self._rate - self._delay_ns
        self._on_block(AudioBlock(samples.T, self._rate, began_ns))

    def close(self) -> None:
        """Stop listening. Idempotent."""
        self._stream.close()
