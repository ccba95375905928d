"""The embedded model as the evaluation runs it: clips in, pictures out, without a show around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sdv2_live.config.profiles import TINY
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.spec import CHUNK_FRAMES, FIRST_FRAMES, ChunkSettings, StreamSpec
from sdv2_live.engine.state import StreamState
from sdv2_live.model import load
from sdv2_live.model.dit.layers import CrossKV
from sdv2_live.model.load import Models


@dataclass(slots=True)
class Painter:
    """The embedded model on this CPU."""

    models: Models
    engine: Engine

    @classmethod
    def load(cls, weights: Path) -> Painter:
        load.EMBEDDED = weights
        cpu = torch.device("cpu")
        models = load.load_models(TINY, device=cpu, dtype=load.choose_dtype("auto", cpu), vae="auto", weights_dir=Path())
        return cls(models, Engine(models.dit, models.vae))

    def cross(self, prompt: str) -> CrossKV:
        with torch.inference_mode():
            return self.engine.dit.condition(self.models.text.encode(prompt))

    def state(self, size: int) -> StreamState:
        return self.engine.new_state(StreamSpec(size, size))

    def chunk(
        self, pixels: Tensor, cross: CrossKV, scale: float, state: StreamState, steps: tuple[int, ...] = (700, 500)
    ) -> Tensor:
        """Pixels (T, 3, H, W) in [0, 1] to the same, one chunk."""
        x = pixels.transpose(0, 1)[None] * 2 - 1
        latent = self.engine.encode(x, state)
        plan = self.engine.plan(x, ChunkSettings(noise_scale=scale, steps=steps), state)
        clean = self.engine.denoise(latent, cross, plan, 42, state)
        assert clean is not None
        return self.engine.decode(clean, state)[0].transpose(0, 1).float() * 0.5 + 0.5

    def code(self, pixels: Tensor, state: StreamState) -> Tensor:
        """Pixels as `chunk` takes them, through the autoencoder alone."""
        vae, x = self.models.vae, (pixels.transpose(0, 1)[None] * 2 - 1).to(self.engine.pixel_dtype)
        out = vae.decode(vae.encode(x, state.vae, normalize=True), state.vae)
        return out[0].transpose(0, 1).float() * 0.5 + 0.5

    def paint(self, clip: Tensor, cross: CrossKV, scale: float, steps: tuple[int, ...] = (700, 500)) -> Tensor:
        """A whole clip (1 + 4k frames) through a fresh stream."""
        state = self.state(clip.shape[-1])
        return torch.cat([self.chunk(part, cross, scale, state, steps) for part in chunks(clip)])


def chunks(clip: Tensor) -> Iterator[Tensor]:
    """The engine's chunks of a clip: 5 frames, then 4 at a time."""
    yield clip[:FIRST_FRAMES]
    yield from clip[FIRST_FRAMES:].split(CHUNK_FRAMES)


def read_clip(path: Path, size: int, chunk_count: int) -> Tensor:
    """The first chunks of a video, centre square, (1 + 4k, 3, size, size) in [0, 1]. A camera moves over a still picture."""
    wanted = 1 + CHUNK_FRAMES * (chunk_count + 1)
    frames: list[np.ndarray] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            frames.append(frame.to_ndarray(format="rgb24"))
            if len(frames) == wanted:
                break
    still = len(frames) == 1
    frames += frames[-2::-1] * wanted  # short clips run back and forth
    pixels = torch.from_numpy(np.stack(frames[:wanted])).permute(0, 3, 1, 2) / 255
    side = min(pixels.shape[-2:])
    top, left = (pixels.shape[-2] - side) // 2, (pixels.shape[-1] - side) // 2
    square = pixels[..., top : top + side, left : left + side]
    shown = size * 5 // 4 if still else size
    small = F.interpolate(square, (shown, shown), mode="bilinear", antialias=True).clamp(0, 1)
    return pan(small[0], size, wanted, 1) if still else small


def pan(picture: Tensor, size: int, frames: int, step: int) -> Tensor:
    """A window that goes to the right over a picture (3, H, W) by `step` pixels a frame, and back when it is at the end."""
    top, room = (picture.shape[1] - size) // 2, picture.shape[2] - size
    places = [room - abs(room - step * i % (2 * room)) for i in range(frames)]
    return torch.stack([picture[:, top : top + size, x : x + size] for x in places])
