"""Model profiles: all that tells one model from another. Their data are files, see `config.profiles`. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sdv2_live.model.checkpoints.files import Files
from sdv2_live.model.sizes import DitConfig, TaehvConfig, TextConfig, WanVaeConfig

Positions = Literal["absolute", "relative"]


@dataclass(frozen=True, slots=True)
class StreamKind:
    """The numbers around the network with which a model was trained. The defaults are StreamDiffusionV2's.

    Attributes:
        block: latents of a chunk.
        first_frames: pixel frames of a stream's first chunk, with a video input.
        shift: of the noise schedule.
        warp: steps are moved along the shifted schedule, as in the model's training; else they are timesteps themselves.
        steps: from noise alone (text, or an image).
        first_steps: those of a stream's first painted chunk from noise alone; None: `steps`.
        window: latents that attention sees.
        sinks: of these, the first of the stream, which stay.
        adaptive_sinks: a sink may be replaced by a newer latent.
        context_t: timestep of the call that writes a finished chunk's keys and values; None: there is none.
        positions: temporal positions count the stream's latents, or the places in the window.
        rope_refresh_frame: absolute positions end here.
        recompute: latents with which the cache is filled anew before each chunk; None: it rolls.
        attention_bias: start value of the weight of the past in attention, 0.01..1.
        normalize_latents: latents are normalised per channel.
    """

    block: int = 1
    first_frames: int = 5
    shift: float = 8.0
    warp: bool = False
    steps: tuple[int, ...] = (1000, 750, 500, 250)
    first_steps: tuple[int, ...] | None = None
    window: int = 6
    sinks: int = 3
    adaptive_sinks: bool = True
    context_t: float | None = None
    positions: Positions = "absolute"
    rope_refresh_frame: int = 50
    recompute: int | None = None
    attention_bias: float = 1.0
    normalize_latents: bool = False

    @property
    def own(self) -> bool:
        """True for StreamDiffusionV2's own way: a latent a chunk, no pass over what is finished, a ring that rolls."""
        return self.block == 1 and self.context_t is None and self.recompute is None

    @property
    def takes_image(self) -> bool:
        """True where an image can be the first latent: a model that paints latent by latent, and keeps what is clean."""
        return self.block == 1 and self.context_t is not None


@dataclass(frozen=True, slots=True)
class Licence:
    """What a model's weights may be used for. note: what else there is to know."""

    name: str
    commercial: bool = True
    note: str = ""

    @property
    def short(self) -> str:
        """Its name, and whether paid shows are left out."""
        return self.name if self.commercial else f"{self.name}, not for paid shows"

    def __str__(self) -> str:
        """The licence in a line."""
        return f"{self.short} ({self.note})" if self.note else self.short


@dataclass(frozen=True, slots=True)
class Profile:
    """One model: its sizes, its files (None: embedded in the package), its stream, and the defaults that suit it.

    max_pixels: cap on height * width when the resolution follows the input. vae: the autoencoder taken for `auto`.
    noise_scale, steps, detail: start values of these parameters where nobody chose others; None keeps the table's, but nominal
        steps are those of the stream.
    """

    name: str
    dit: DitConfig
    text: TextConfig
    taehv: TaehvConfig
    max_pixels: int
    vae: str
    wan: WanVaeConfig | None = None
    files: Files | None = None
    noise_scale: float | None = None
    steps: tuple[int, ...] | None = None
    detail: float | None = None
    stream: StreamKind = StreamKind()
    title: str = ""
    trained_for: str = ""
    licence: Licence = Licence("Apache-2.0")

    @property
    def suited(self) -> dict[str, Any]:
        """The start values by parameter."""
        steps = self.stream.steps if self.steps is None and self.stream.warp else self.steps
        memory = None if self.stream.attention_bias == 1 else self.stream.attention_bias
        values = {"noise_scale": self.noise_scale, "steps": steps, "detail": self.detail, "memory": memory}
        return {name: value for name, value in values.items() if value is not None}
