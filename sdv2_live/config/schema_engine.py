"""The sections of the settings for the engine: its operation, and the measures when it is away, too slow or drifting."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sdv2_live.config.choices import Fallback
from sdv2_live.config.fields import (
    AutoBool,
    AutoInt,
    OnOff,
    OrAuto,
    OrOff,
    Section,
    SplitTexts,
    integer,
    key,
    number,
)
from sdv2_live.config.measures import FEWER_CARDS, FEWER_STEPS, SMALL_VAE, SMALLER
from sdv2_live.engine.spec import Mode, Schedule
from sdv2_live.model.dit.cache_spec import TIME_ROWS


class EngineConfig(Section):
    """The engine: its process, the sizes of its state, and its kernels."""

    process: Literal["child", "inline"] = "child"
    mode: Mode = Mode.VIDEO
    schedule: Schedule = Schedule.SEQUENTIAL
    kv_frames: AutoInt = integer(None, 2, 64, auto=True)
    sink_frames: AutoInt = integer(None, 0, 63, note=", below kv_frames", auto=True)
    rope_refresh_frame: AutoInt = integer(None, 3, TIME_ROWS, note=", above kv_frames", auto=True)
    run_while_bypassed: AutoBool = key(None, "auto, true or false")
    attention: Literal["auto", "sdpa", "flash3", "sage"] = "auto"
    cuda_graphs: Annotated[Literal["auto", "off"], OrOff] = "auto"
    overlap: Annotated[Literal["auto", "on", "off"], OnOff] = "auto"
    encode_ahead: Annotated[Literal["auto", "on", "off"], OnOff] = "auto"

    @property
    def overlaps(self) -> bool:
        """True where a chunk may be launched while the previous one is computed."""
        return self.overlap != "off"

    def encodes_ahead(self, device: str) -> bool:
        """True where the encoder takes frames as they come, not a chunk at once, on a device as torch names it."""
        return self.encode_ahead == "on" or (self.encode_ahead == "auto" and device != "cuda")


_RUNG = rf"^({FEWER_CARDS}|{SMALL_VAE}|[1-9][0-9]?%)$"
_MEASURE = rf"^({FEWER_STEPS}|{SMALLER}|{SMALL_VAE})$"


class FaultsConfig(Section):
    """The fallback while the engine is away, and the rules for its restarts. Times in seconds."""

    on_fault: Fallback = Fallback.INPUT
    hold_s: float = number(1.0, 0, 3600, "seconds")
    fade_s: float = number(1.0, 0, 60, "seconds")
    slate: str = key("One moment, please", "text")
    hang_s: float = number(5.0, 0.5, 3600, "seconds")
    load_s: float = number(900.0, 5, 86400, "seconds")
    crashes: int = integer(3, 1, 100)
    ladder: Annotated[tuple[Annotated[str, Field(pattern=_RUNG)], ...], SplitTexts] = key(
        (FEWER_CARDS, SMALL_VAE, "60%", "30%"),
        f'a list of {FEWER_CARDS}, {SMALL_VAE} and shares of the pixels, such as ["{SMALL_VAE}", "50%"]',
    )
    retry_s: float = number(30.0, 1, 3600, "seconds")
    climb_s: float = number(600.0, 0, 86400, "seconds")


class ShedConfig(Section):
    """Load shedding while the engine is slower than `target_fps` (None for auto: the input's rate; 0: never)."""

    target_fps: Annotated[float | None, OrAuto] = number(0.0, 0, 240, "frames a second", "; 0 gives nothing up", auto=True)
    steps: Annotated[tuple[Annotated[str, Field(pattern=_MEASURE)], ...], SplitTexts] = key(
        (FEWER_STEPS, SMALLER),
        f'a list of {FEWER_STEPS}, {SMALLER} and {SMALL_VAE}, such as ["{FEWER_STEPS}", "{SMALLER}", "{SMALLER}"]',
    )
    down_s: float = number(5.0, 0.5, 3600, "seconds")
    up_s: float = number(30.0, 1, 3600, "seconds")


class RefreshConfig(Section):
    """The times at which a running stream begins again with empty caches, unseen. `every_s` 0 and `at_drift` 0: never."""

    every_s: float = number(0.0, 0, 86400, "seconds")
    at_drift: float = number(0.0, 0, 1)
    fade_s: float = number(0.5, 0, 10, "seconds")
