"""The keys of a model profile's file, see `profiles`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from sdv2_live.config.fields import AutoInt, OrAuto, Section, SplitTexts, integer, key, number, switch
from sdv2_live.model.dit.cache_spec import TIME_ROWS
from sdv2_live.model.profiles import Positions

_ORIGIN = r"^[\w.-]+/[\w.-]+/[\w.+/-]+$"
_FILE = r"^\w[\w.+-]*(/\w[\w.+-]*)*$"  # below its folder, on every system

Origins = Annotated[tuple[Annotated[str, Field(pattern=_ORIGIN)], ...], SplitTexts]
Steps = Annotated[tuple[Annotated[int, Field(ge=0, le=1000, strict=True)], ...], Field(min_length=1, max_length=4)]
_HUB = 'a list of OWNER/NAME/PATH of files on Hugging Face, such as ["gdhe17/Self-Forcing/checkpoints/self_forcing_dmd.pt"]'
_STEPS = "1 to 4 descending steps in 0..1000, such as [1000, 500]"


def _off_is_none(value: Any) -> Any:
    return None if value is False or value == "off" else value  # False: as YAML reads the word


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


_OffInt = Annotated[int | None, BeforeValidator(_off_is_none)]
_OffFloat = Annotated[float | None, BeforeValidator(_off_is_none)]
_StepList = Annotated[Steps, BeforeValidator(_listed)]
_AutoSteps = Annotated[Steps | None, BeforeValidator(_listed), OrAuto]


class LicenceSection(Section):
    """The licence of the weights."""

    name: str = key(..., "its name, such as Apache-2.0", min_length=1)
    commercial: bool = switch(True)
    note: str = key("", "text")


class WeightsSection(Section):
    """The transformer's file: its place, where it is published, and which of the models in it is meant (auto: the first)."""

    file: str = key(..., "its path below model.weights_dir, such as self-forcing/self_forcing_dmd.pt", pattern=_FILE)
    origins: Origins = key((), _HUB)
    member: Literal["auto", "generator", "generator_ema"] = "auto"


class LoraSection(Section):
    """A LoRA that belongs to the model, merged at load before any other. `alpha` of all its layers; auto: as the file says."""

    file: str = key(..., "its path below model.weights_dir, such as longlive/lora.pt", pattern=_FILE)
    origins: Origins = key((), _HUB)
    alpha: Annotated[float | None, OrAuto] = key(None, "auto or a number above 0", gt=0, allow_inf_nan=False)


class StreamSection(Section):
    """How the network is used, see `model.profiles.StreamKind`. `first_frames` auto: those of one block."""

    block: int = integer(1, 1, 4, "latents")
    first_frames: AutoInt = integer(None, 1, 13, "frames", ", 1 more than a multiple of 4", auto=True)
    shift: float = number(8.0, 1, 20)
    warp: bool = switch(False)
    steps: _StepList = key((1000, 750, 500, 250), _STEPS)
    first_steps: _AutoSteps = key(None, f"auto or {_STEPS}")
    window: int = integer(6, 2, 64, "latents")
    sinks: int = integer(3, 0, 63, "latents", ", below window")
    adaptive_sinks: bool = switch(True)
    context_t: _OffFloat = key(None, "off or a timestep 0..1000", ge=0, le=1000, allow_inf_nan=False)
    positions: Positions = "absolute"
    rope_refresh_frame: int = integer(50, 3, TIME_ROWS, note=", above window")
    recompute: _OffInt = key(None, "off or an integer of latents 1..63", ge=1, le=63)
    attention_bias: float = number(1.0, 0.01, 1)
    normalize_latents: bool = switch(False)


class StartSection(Section):
    """Start values of parameters where nobody chose others; auto: the parameter's own."""

    noise_scale: Annotated[float | None, OrAuto] = key(None, "auto or a number 0..1", ge=0, le=1, allow_inf_nan=False)
    steps: _AutoSteps = key(None, f"auto or {_STEPS}")
    detail: Annotated[float | None, OrAuto] = key(None, "auto or a number 0..1", ge=0, le=1, allow_inf_nan=False)


class ProfileFile(Section):
    """All keys of a profile."""

    title: str = key("", "text")
    trained_for: str = key("", "text")
    size: Literal["tiny", "1.3b", "14b"]
    max_pixels: int = integer(480 * 832, 256)
    licence: LicenceSection
    weights: WeightsSection | None = None
    lora: LoraSection | None = None
    stream: StreamSection = StreamSection()
    params: StartSection = StartSection()
