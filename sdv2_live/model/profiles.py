"""Model profiles: the sizes of each model a user can choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sdv2_live.errors import ConfigError
from sdv2_live.model.checkpoints.files import FILES, Files
from sdv2_live.model.dit.layers import DitConfig
from sdv2_live.model.text.umt5 import TextConfig
from sdv2_live.model.vae.taehv import Stage, TaehvConfig
from sdv2_live.model.vae.wan import WanVaeConfig


@dataclass(frozen=True, slots=True)
class Profile:
    """One model: its sizes, its files (None: embedded in the package), and the defaults that suit it.

    max_pixels: cap on height * width when the resolution follows the input. vae: the autoencoder taken for `auto`.
    noise_scale, steps, detail: start values of these parameters where nobody chose others; None keeps the table's.
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

    @property
    def suited(self) -> dict[str, Any]:
        """The start values by parameter."""
        values = {name: getattr(self, name) for name in ("noise_scale", "steps", "detail")}
        return {name: value for name, value in values.items() if value is not None}


TINY = Profile(
    name="tiny",
    dit=DitConfig(dim=192, heads=3, ffn=384, layers=6, text_dim=96),
    text=TextConfig(vocab=1024, dim=96, dim_attn=96, ffn=192, heads=8, layers=2),
    # All convolutions run at 1/8 size on folded pixels: a linear block transform is then inside the model's reach.
    taehv=TaehvConfig(
        patch=8,
        encoder=(Stage(96, 1, 2, 1), Stage(96, 1, 2, 1)),
        decoder=(Stage(96, 2, 2, 1), Stage(96, 1, 2, 1)),
        final_width=160,  # the one step from features to pixels: most of what a viewer sees depends on it
    ),
    max_pixels=256 * 256,
    vae="taehv",
    noise_scale=0.4,  # so far trained, one step at low noise keeps most of the input's drawing
    steps=(400,),
    detail=0.8,  # it paints softly
)

PROFILES = {
    profile.name: profile
    for profile in (
        TINY,
        Profile(
            name="1.3b",
            dit=DitConfig(dim=1536, heads=12, ffn=8960, layers=30),
            text=TextConfig(),
            taehv=TaehvConfig(),
            wan=WanVaeConfig(),
            files=FILES["1.3b"],
            max_pixels=480 * 832,
            vae=FILES["1.3b"].own_vae,
        ),
        Profile(
            name="14b",
            dit=DitConfig(dim=5120, heads=40, ffn=13824, layers=40),
            text=TextConfig(),
            taehv=TaehvConfig(),
            wan=WanVaeConfig(),
            files=FILES["14b"],
            max_pixels=480 * 832,
            vae=FILES["14b"].own_vae,
        ),
    )
}


def profile(name: str) -> Profile:
    """The profile of that name. Raises ConfigError naming the known ones."""
    if name not in PROFILES:
        raise ConfigError(f"model.profile = {name!r} is not one of {', '.join(PROFILES)}")
    return PROFILES[name]
