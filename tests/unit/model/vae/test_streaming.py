"""Streamed output equals whole-clip output; reset equals fresh; streams do not touch each other."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from sdv2_live.config.profiles import PROFILES
from sdv2_live.model.checkpoints.assign import synthetic_state_dict
from sdv2_live.model.sizes import Stage, TaehvConfig, WanVaeConfig
from sdv2_live.model.vae.taehv import TAEHV
from sdv2_live.model.vae.wan import WanVAE
from sdv2_live.model.vae_choice import make_vae


def wan(**sizes: object) -> WanVAE:
    return synthetic(WanVAE(WanVaeConfig(dim=8, **sizes)))  # type: ignore[arg-type]


def taehv() -> TAEHV:
    stages = (Stage(16, 1, 2, 2), Stage(16, 1, 2, 2)), (Stage(24, 1, 2, 2), Stage(16, 1, 2, 2))
    return synthetic(TAEHV(TaehvConfig(patch=2, encoder=stages[0], decoder=stages[1], final_width=16)))


def synthetic(model):  # type: ignore[no-untyped-def]
    model.load_state_dict(synthetic_state_dict({k: tuple(v.shape) for k, v in model.state_dict().items()}, 1.4))
    return model.eval().requires_grad_(False)


def light() -> WanVAE:
    """LightVAE at its full size: a quarter of every width of the Wan VAE."""
    found = make_vae(PROFILES["1.3b"], "light")
    assert isinstance(found, WanVAE)
    assert found.config.dim == 24
    return synthetic(found)


def published_taehv() -> TAEHV:
    """taew2_1 and lighttaew2_1 at their full size."""
    found = make_vae(PROFILES["1.3b"], "lighttae")
    assert isinstance(found, TAEHV)
    return synthetic(found)


MODELS = {
    "wan": wan,
    "light": light,
    "taehv, published": published_taehv,
    "wan, other sizes": lambda: wan(dim_mult=(1, 2, 2, 3), num_res_blocks=1),
    "wan, time halved early": lambda: wan(temporal_downsample=(True, True, False)),
    "taehv": taehv,
}


@pytest.fixture(params=MODELS, scope="module")
def vae(request: pytest.FixtureRequest) -> Any:
    return MODELS[request.param]()


def clip(frames: int, seed: int = 0) -> Tensor:
    return torch.rand(1, 3, frames, 16, 32, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def error(found: Tensor, expected: Tensor) -> float:
    """Of the whole, as the golden cases measure it."""
    return float((found - expected).norm() / expected.norm())


def chunks(video: Tensor) -> list[Tensor]:
    return [video[:, :, :5], *video[:, :, 5:].split(4, dim=2)]


def test_streamed_equals_whole_clip(vae: Any) -> None:
    video, memory = clip(17), vae.new_memory()
    latents = torch.cat([vae.encode(chunk, memory) for chunk in chunks(video)], dim=1)
    assert latents.shape == (1, 5, 16, 2, 4)
    assert error(latents, vae.encode(video, vae.new_memory())) < 1e-5
    memory = vae.new_memory()
    pixels = torch.cat([vae.decode(latent, memory) for latent in latents.split(1, dim=1)], dim=2)
    assert pixels.shape == video.shape
    assert error(pixels, vae.decode(latents, vae.new_memory())) < 1e-5


@pytest.fixture(scope="module")
def whole(vae: Any) -> tuple[Tensor, Tensor, Tensor]:
    """A clip, its latents and their pixels, each in one piece."""
    video = clip(17, seed=5)
    latents = vae.encode(video, vae.new_memory())
    return video, latents, vae.decode(latents, vae.new_memory())


@pytest.mark.parametrize("groups", [(1, 4, 4, 4, 4), (1, 16), (5, 8, 4), (9, 4, 4), (13, 4), (1, 8, 8)])
def test_chunks_of_any_size_equal_the_whole_clip(vae: Any, whole: tuple[Tensor, Tensor, Tensor], groups: tuple[int, ...]) -> None:
    (video, latents, pixels), memory = whole, vae.new_memory()
    found = torch.cat([vae.encode(chunk, memory) for chunk in video.split(list(groups), dim=2)], dim=1)
    assert error(found, latents) < 1e-5
    memory = vae.new_memory()
    counts = [(groups[0] + 3) // 4, *(frames // 4 for frames in groups[1:])]
    parts = [vae.decode(part, memory) for part in latents.split(counts, dim=1)]
    assert [part.shape[2] for part in parts] == list(groups)
    assert error(torch.cat(parts, dim=2), pixels) < 1e-5


def test_reset_equals_fresh(vae: Any) -> None:
    memory = vae.new_memory()
    for chunk in chunks(clip(13, seed=1)):
        vae.decode(vae.encode(chunk, memory), memory)
    memory.reset_()
    fresh = vae.new_memory()
    for chunk in chunks(clip(13, seed=2)):
        latent, expected = vae.encode(chunk, memory), vae.encode(chunk, fresh)
        assert torch.equal(latent, expected)
        assert torch.equal(vae.decode(latent, memory), vae.decode(expected, fresh))


def test_interleaved_streams_are_independent(vae: Any) -> None:
    alone = [vae.new_memory(), vae.new_memory()]
    together = [vae.new_memory(), vae.new_memory()]
    clips = [chunks(clip(13, seed)) for seed in (3, 4)]
    expected = [[vae.encode(chunk, memory) for chunk in parts] for parts, memory in zip(clips, alone, strict=True)]
    for i in range(len(clips[0])):
        for stream in (0, 1):
            assert torch.equal(vae.encode(clips[stream][i], together[stream]), expected[stream][i])


def test_normalised_latents(vae: Any) -> None:
    plain = vae.encode(clip(5), vae.new_memory())
    normal = vae.encode(clip(5), vae.new_memory(), normalize=True)
    torch.testing.assert_close(normal * vae.std + vae.mean, plain, rtol=1e-4, atol=1e-5)


def test_half_a_chunk_is_refused(vae: Any) -> None:
    with pytest.raises(ValueError, match="whole chunks"):
        vae.encode(clip(6), vae.new_memory())
