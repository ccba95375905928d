"""The size and policy of a key/value cache. Separate from the cache itself, for modules that do without torch."""

from __future__ import annotations

from dataclasses import dataclass

from sdv2_live.errors import EngineError

TIME_ROWS = 1024  # latent frames that the table of temporal positions has a row for


@dataclass(frozen=True, slots=True)
class CacheSpec:
    """Size and policy of a cache.

    kv_frames: slots, each one latent frame. sink_frames: how many of the first slots are sinks.
    adapt_sink_threshold: a sink whose similarity to a new frame is the smallest and below this is replaced; -1 is off.
    """

    kv_frames: int = 6
    sink_frames: int = 3
    adapt_sink_threshold: float = 0.2

    def __post_init__(self) -> None:
        if not 0 <= self.sink_frames < self.kv_frames:
            raise EngineError(
                f"sink_frames = {self.sink_frames} must be at least 0 and below kv_frames = {self.kv_frames}: "
                "the ring needs at least one slot"
            )

    @property
    def adaptive(self) -> bool:
        """True when sinks may be replaced."""
        return self.adapt_sink_threshold > -1 and self.sink_frames > 0
