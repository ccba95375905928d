"""Streamed output equals whole-clip output; reset equals fresh; streams do not touch each other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sdv2_live.model.taehv import TAEHV, Stage, TaehvConfig
from sdv2_live.model.vae import WanVAE, WanVaeConfig
from sdv2_live.model.weights import synthetic_state_dict


def wan(**sizes: object) -> WanVAE:
    return synthetic(WanVAE(WanVaeConfig(dim=8, **sizes)))  # type: ignore[arg-type]


def taehv() -> TAEHV:
    stages = (Stage(16, 1, 2, 2), Stage(16, 1, 2, 2)), (Stage(24, 1, 2, 2), Stage(16, 1, 2, 2))
    return synthetic(TAEHV(TaehvConfig(patch=2, encoder=stages[0], decoder=stages[1], final_width=16)))


def synthetic(model):  # type: ignore[no-untyped-def]
    model.load_state_dict(synthetic_state_dict({k: tuple(v.shape) for k, v in model.state_dict().items()}, 1.4))
    return model.eval().requires_grad_(False)


MODELS = {
    "wan": wan,
    "wan, other sizes": lambda: wan(dim_mult=(1, 2, 2, 3), num_res_blocks=1),
    "wan, time halved early": lambda: wan(temporal_downsample=(True, True, False)),
    "taehv": taehv,
}


@pytest.fixture(params=MODELS, scope="module")
def vae(request: pytest.FixtureRequest) -> WanVAE | TAEHV:
    return MODELS[request.param]()


def clip(frames: int, seed: int = 0) -> Tensor:
    return torch.rand(1, 3, frames, 16, 32, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def chunks(video: Tensor) -> list[Tensor]:
    return [video[:, :, :5], *video[:, :, 5:].split(4, dim=2)]


def test_streamed_equals_whole_clip(vae: WanVAE | TAEHV) -> None:
    video, memory = clip(17), vae.new_memory()
    latents = torch.cat([vae.encode(chunk, memory) for chunk in chunks(video)], dim=1)
    assert latents.shape == (1, 5, 16, 2, 4)
    torch.testing.assert_close(latents, vae.encode(video, vae.new_memory()), rtol=1e-4, atol=1e-5)
    memory = vae.new_memory()
    pixels = torch.cat([vae.decode(latent, memory) for latent in latents.split(1, dim=1)], dim=2)
    assert pixels.shape == video.shape
    torch.testing.assert_close(pixels, vae.decode(latents, vae.new_memory()), rtol=1e-4, atol=1e-4)


def test_reset_equals_fresh(vae: WanVAE | TAEHV) -> None:
    memory = vae.new_memory()
    for chunk in chunks(clip(13, seed=1)):
        vae.decode(vae.encode(chunk, memory), memory)
    memory.reset_()
    fresh = vae.new_memory()
    for chunk in chunks(clip(13, seed=2)):
        latent, expected = vae.encode(chunk, memory), vae.encode(chunk, fresh)
        assert torch.equal(latent, expected)
        assert torch.equal(vae.decode(latent, memory), vae.decode(expected, fresh))


def test_interleaved_streams_are_independent(vae: WanVAE | TAEHV) -> None:
    alone = [vae.new_memory(), vae.new_memory()]
    together = [vae.new_memory(), vae.new_memory()]
    clips = [chunks(clip(13, seed)) for seed in (3, 4)]
    expected = [[vae.encode(chunk, memory) for chunk in parts] for parts, memory in zip(clips, alone, strict=True)]
    for i in range(len(clips[0])):
        for stream in (0, 1):
            assert torch.equal(vae.encode(clips[stream][i], together[stream]), expected[stream][i])


def test_normalised_latents(vae: WanVAE | TAEHV) -> None:
    plain = vae.encode(clip(5), vae.new_memory())
    normal = vae.encode(clip(5), vae.new_memory(), normalize=True)
    torch.testing.assert_close(normal * vae.std + vae.mean, plain, rtol=1e-4, atol=1e-5)


def test_half_a_chunk_is_refused(vae: WanVAE | TAEHV) -> None:
    with pytest.raises(ValueError, match="whole chunks"):
        vae.encode(clip(6), vae.new_memory())
