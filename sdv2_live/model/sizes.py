"""The sizes of the networks, and those that have a name. Free of torch, for all that speaks of a model without loading it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DitConfig:
    """Sizes of a causal DiT. The defaults are those shared by the public checkpoints."""

    dim: int
    heads: int
    ffn: int
    layers: int
    text_dim: int = 4096
    freq_dim: int = 256
    channels: int = 16

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.dim // self.heads


@dataclass(frozen=True, slots=True)
class TextConfig:
    """Sizes of a UMT5 encoder. The defaults are umt5-xxl's."""

    vocab: int = 256384
    dim: int = 4096
    dim_attn: int = 4096
    ffn: int = 10240
    heads: int = 64
    layers: int = 24
    buckets: int = 32


@dataclass(frozen=True, slots=True)
class Stage:
    """One resolution of the encoder or decoder: its memory blocks, then (decoder) or before them (encoder) the change of size.

    time: factor by which time shrinks or grows (1 or 2); space: the same for height and width.
    """

    width: int
    blocks: int
    time: int
    space: int


def _published_encoder() -> tuple[Stage, ...]:
    return Stage(64, 3, 2, 2), Stage(64, 3, 2, 2), Stage(64, 3, 1, 2)


def _published_decoder() -> tuple[Stage, ...]:
    return Stage(256, 3, 1, 2), Stage(128, 3, 2, 2), Stage(64, 3, 2, 2)


@dataclass(frozen=True, slots=True)
class TaehvConfig:
    """Sizes. The defaults are taew2_1's. patch: pixels folded into channels on both sides (cheap at high resolution)."""

    latent: int = 16
    patch: int = 1
    encoder: tuple[Stage, ...] = field(default_factory=_published_encoder)
    decoder: tuple[Stage, ...] = field(default_factory=_published_decoder)
    final_width: int = 64


@dataclass(frozen=True, slots=True)
class WanVaeConfig:
    """Sizes of a Wan VAE. temporal_downsample: one flag for each of the three halvings, true if it also halves time."""

    dim: int = 96
    z_dim: int = 16
    dim_mult: tuple[int, ...] = (1, 2, 4, 4)
    num_res_blocks: int = 2
    temporal_downsample: tuple[bool, ...] = (False, True, True)

    @property
    def time_factor(self) -> int:
        """Pixel frames per latent frame after the first."""
        return int(2 ** sum(self.temporal_downsample))


@dataclass(frozen=True, slots=True)
class Sizes:
    """The networks of one size. wan: None where no autoencoder of Wan's architecture goes with them."""

    dit: DitConfig
    text: TextConfig
    taehv: TaehvConfig
    wan: WanVaeConfig | None


SIZES = {
    "tiny": Sizes(
        DitConfig(dim=192, heads=3, ffn=384, layers=6, text_dim=96),
        TextConfig(vocab=1024, dim=96, dim_attn=96, ffn=192, heads=8, layers=2),
        # All convolutions run at 1/8 size on folded pixels: a linear block transform is then inside the model's reach.
        TaehvConfig(
            patch=8,
            encoder=(Stage(96, 1, 2, 1), Stage(96, 1, 2, 1)),
            decoder=(Stage(96, 2, 2, 1), Stage(96, 1, 2, 1)),
            final_width=160,  # the one step from features to pixels: most of what a viewer sees depends on it
        ),
        None,
    ),
    "1.3b": Sizes(DitConfig(dim=1536, heads=12, ffn=8960, layers=30), TextConfig(), TaehvConfig(), WanVaeConfig()),
    "14b": Sizes(DitConfig(dim=5120, heads=40, ffn=13824, layers=40), TextConfig(), TaehvConfig(), WanVaeConfig()),
}
