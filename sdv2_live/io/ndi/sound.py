"""Conversion of the SDK's received sound to blocks, dated by the sender's clock: pictures take longer to arrive than sound."""

from __future__ import annotations

from typing import Any

import numpy as np

from sdv2_live.io.audio import AudioBlock

SANE_NS = 1_000_000_000  # a sender's time stamp that puts sound further from its arrival is not believed
STEP_NS = 100_000_000  # a sender's clock that is further off than this was set again; less is network jitter
CALM = 16  # pictures over which that unrest is smoothed, so that sound comes as evenly as it was sent


class NdiSound:
    """Dates the sound of one source. Its time stamps are in units of 100 ns."""

    def __init__(self) -> None:
        self._clock_ns: int | None = None  # from the sender's time stamps to captured_ns, by its last pictures

    def forget(self) -> None:
        """Forget the sender's clock: another sender's time stamps come from now on."""
        self._clock_ns = None

    def pictured(self, captured_ns: int, stamp: int) -> None:
        """Update the estimate of the sender's clock from the time stamp of a picture."""
        clock_ns = captured_ns - stamp * 100
        if self._clock_ns is None or abs(clock_ns - self._clock_ns) > STEP_NS:
            self._clock_ns = clock_ns
        else:
            self._clock_ns += (clock_ns - self._clock_ns) // CALM

    def copy(self, audio: Any, arrived_ns: int) -> AudioBlock | None:
        """A copy of the SDK's sound; None where it is empty."""
        samples = np.array(audio.data, np.float32)  # a copy, (channels, length)
        if samples.ndim != 2 or not samples.size or audio.sample_rate <= 0:
            return None
        captured_ns = arrived_ns if self._clock_ns is None else audio.timestamp * 100 + self._clock_ns
        if abs(captured_ns - arrived_ns) > SANE_NS:
            captured_ns = arrived_ns
        return AudioBlock(samples, audio.sample_rate, captured_ns)
