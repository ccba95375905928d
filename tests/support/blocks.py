"""What the students of the Self-Forcing family compute, written anew in plain PyTorch, latent by latent and without a cache.

The past is a list of latents in the order in which attention has them: sinks, then by age. Slow, and short enough to be checked
by reading.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from sdv2_live.engine.spec import StreamSpec
from sdv2_live.model.dit.dit import CausalDiT

TEXT_ROWS = 512


@dataclass
class Seen:
    """One latent of the past: keys (not rotated) and values of each layer, (L, D), and its temporal position."""

    position: int
    keys: list[Tensor]
    values: list[Tensor]


def norm(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], eps=1e-6)


def rms(x: Tensor, weight: Tensor) -> Tensor:
    return x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt() * weight


class PlainDiT:
    """The transformer, over the weights of another, in float64."""

    def __init__(self, dit: CausalDiT) -> None:
        self.config = dit.config
        self.weights = {name: tensor.double() for name, tensor in dit.state_dict().items()}

    def linear(self, name: str, x: Tensor) -> Tensor:
        return F.linear(x, self.weights[f"{name}.weight"].flatten(1), self.weights[f"{name}.bias"])

    def rotated(self, x_LD: Tensor, position: int, rows: int, columns: int) -> Tensor:
        """Rotate one latent's queries or keys, head by head."""
        heads, width = self.config.heads, self.config.head_dim
        pairs = width // 2
        space = pairs // 3
        time = pairs - 2 * space
        row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        places = [torch.full((rows * columns,), position), row.flatten(), column.flatten()]
        angles = [
            at.double()[:, None] * 10000.0 ** (-torch.arange(n, dtype=torch.float64) / n)
            for at, n in zip(places, (time, space, space), strict=True)
        ]
        angle = torch.cat(angles, dim=1)[:, None]  # (L, 1, pairs)
        even, odd = x_LD.view(-1, heads, pairs, 2).unbind(-1)
        turned = (even * angle.cos() - odd * angle.sin(), even * angle.sin() + odd * angle.cos())
        return torch.stack(turned, dim=-1).reshape(x_LD.shape[0], -1)

    def attention(self, q_SD: Tensor, k_ND: Tensor, v_ND: Tensor, bias_N: Tensor | None = None) -> Tensor:
        q, k, v = (x.view(x.shape[0], self.config.heads, -1).transpose(0, 1) for x in (q_SD, k_ND, v_ND))
        scores = q @ k.transpose(1, 2) / math.sqrt(self.config.head_dim)
        out = (scores if bias_N is None else scores + bias_N).softmax(-1) @ v
        return out.transpose(0, 1).flatten(1)

    def text(self, context_ND: Tensor) -> Tensor:
        x = F.pad(context_ND.double(), (0, 0, 0, TEXT_ROWS - context_ND.shape[0]))
        return self.linear("text_embedding.2", F.gelu(self.linear("text_embedding.0", x), approximate="tanh"))

    def __call__(
        self,
        x_FCHW: Tensor,
        timestep: float,
        text: Tensor,
        past: Sequence[Seen],
        positions: Sequence[int],
        *,
        relative: bool = False,
        memory: float = 1.0,
    ) -> tuple[Tensor, list[Seen]]:
        """Flow, and what the past is to remember of these latents. Every query sees all of the past and of its own call."""
        frames, channels, rows, columns = x_FCHW.shape[0], x_FCHW.shape[1], x_FCHW.shape[2] // 2, x_FCHW.shape[3] // 2
        tokens = rows * columns
        half = self.config.freq_dim // 2
        angle = timestep * 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
        e = self.linear("time_embedding.2", F.silu(self.linear("time_embedding.0", torch.cat((angle.cos(), angle.sin())))))
        modulation = self.linear("time_projection.1", F.silu(e)).view(6, -1)
        x = x_FCHW.double().view(frames, channels, rows, 2, columns, 2).permute(0, 2, 4, 1, 3, 5).reshape(frames * tokens, -1)
        x = self.linear("patch_embedding", x)
        own = [Seen(position, [], []) for position in positions]
        seen = [*past, *own]
        places = [i if relative else each.position for i, each in enumerate(seen)]
        counts = [1.0 if i == 0 or i >= len(past) else memory for i in range(len(seen))]
        bias = torch.tensor(counts, dtype=torch.float64).log().repeat_interleave(tokens)
        for layer in range(self.config.layers):
            name = f"blocks.{layer}"
            shift0, scale0, gate0, shift1, scale1, gate1 = self.weights[f"{name}.modulation"][0] + modulation
            h = norm(x) * (1 + scale0) + shift0
            q = rms(self.linear(f"{name}.self_attn.q", h), self.weights[f"{name}.self_attn.norm_q.weight"])
            k = rms(self.linear(f"{name}.self_attn.k", h), self.weights[f"{name}.self_attn.norm_k.weight"])
            v = self.linear(f"{name}.self_attn.v", h)
            for each, key, value in zip(own, k.split(tokens), v.split(tokens), strict=True):
                each.keys.append(key)
                each.values.append(value)
            keys = torch.cat([self.rotated(each.keys[layer], at, rows, columns) for each, at in zip(seen, places, strict=True)])
            queries = [
                self.rotated(part, at, rows, columns) for part, at in zip(q.split(tokens), places[len(past) :], strict=True)
            ]
            mixed = self.attention(torch.cat(queries), keys, torch.cat([each.values[layer] for each in seen]), bias)
            x = x + gate0 * self.linear(f"{name}.self_attn.o", mixed)
            h = norm(x) * self.weights[f"{name}.norm3.weight"] + self.weights[f"{name}.norm3.bias"]
            q = rms(self.linear(f"{name}.cross_attn.q", h), self.weights[f"{name}.cross_attn.norm_q.weight"])
            k = rms(self.linear(f"{name}.cross_attn.k", text), self.weights[f"{name}.cross_attn.norm_k.weight"])
            mixed = self.attention(q, k, self.linear(f"{name}.cross_attn.v", text))
            x = x + self.linear(f"{name}.cross_attn.o", mixed)
            h = F.gelu(self.linear(f"{name}.ffn.0", norm(x) * (1 + scale1) + shift1), approximate="tanh")
            x = x + gate1 * self.linear(f"{name}.ffn.2", h)
        shift, scale = self.weights["head.modulation"][0] + e
        out = self.linear("head.head", norm(x) * (1 + scale) + shift)
        out = out.view(frames, rows, columns, 2, 2, channels).permute(0, 5, 1, 3, 2, 4)
        return out.reshape(x_FCHW.shape), own


@dataclass
class PlainStream:
    """A text stream of some kind: `block` paints the next latents."""

    dit: PlainDiT
    spec: StreamSpec
    past: list[Seen] = field(default_factory=list)
    done: list[Tensor] = field(default_factory=list)  # clean latents, (16, h, w)
    zero: int = 0  # number of the latent at position 0

    @property
    def relative(self) -> bool:
        return self.spec.positions == "relative"

    def evict(self, frames: int) -> None:
        """Let the oldest latents go that are no sinks."""
        while len(self.past) + frames > self.spec.cache.kv_frames:
            del self.past[self.spec.cache.sink_frames]

    def flush(self) -> None:
        """Keep the first latent and the last two."""
        if len(self.past) > 3:
            self.past = [self.past[0], *self.past[-2:]]

    def recache(self, text: Tensor) -> None:
        """Run the last clean latents once more."""
        window, count = self.spec.cache.kv_frames, len(self.done)
        kept = min(window, count)
        sinks = self.spec.cache.sink_frames if count > window and not self.spec.recache_sinks else 0
        numbers = range(count - kept + sinks, count)
        latents = torch.stack([self.done[i] for i in numbers])
        _, own = self.dit(
            latents, self.spec.context_t or 0.0, text, self.past[:sinks], [n - self.zero for n in numbers], relative=self.relative
        )
        self.past = [*self.past[:sinks], *own]

    def refill(self, text: Tensor, anchor: Tensor | None) -> None:
        """Empty the past, and run the context, a block after the other."""
        assert self.spec.recompute is not None
        count, context = self.spec.recompute, list(self.done)
        if len(context) > count:
            first = context[0]
            if len(context) >= count + self.spec.block:
                assert anchor is not None
                first = anchor
            context = [first, *context[len(context) - count + 1 :]]
        self.past = []
        for begin in range(0, len(context), self.spec.block):
            part = context[begin : begin + self.spec.block]
            _, own = self.dit(torch.stack(part), 0.0, text, self.past, range(begin, begin + len(part)))
            self.past += own

    def begin_again(self, text: Tensor) -> None:
        """Run the latents that attention sees once more from position 0, a block after the other."""
        assert self.spec.context_t is not None
        kept, self.past = self.done[-self.spec.cache.kv_frames :], []
        self.zero = len(self.done) - len(kept)
        for begin in range(0, len(kept), self.spec.block):
            part = kept[begin : begin + self.spec.block]
            _, own = self.dit(torch.stack(part), self.spec.context_t, text, self.past, range(begin, begin + len(part)))
            self.past += own

    def given(self, latent_CHW: Tensor, text: Tensor) -> None:
        """Take a latent as it is."""
        self.evict(1)
        _, own = self.dit(latent_CHW[None], 0.0, text, self.past, [len(self.done)], relative=self.relative)
        self.past += own
        self.done.append(latent_CHW.double())

    def block(
        self,
        noise_nFCHW: Tensor,
        timesteps: Sequence[float],
        text: Tensor,
        *,
        memory: float = 1.0,
        anchor: Tensor | None = None,
    ) -> Tensor:
        """The next clean latents (F, 16, h, w)."""
        frames, start = noise_nFCHW.shape[1], len(self.done) - self.zero
        if not self.relative and self.spec.recompute is None and start + frames > self.spec.rope_refresh_frame:
            self.begin_again(text)
            start = len(self.past)
        if self.spec.recompute is not None and self.done:
            self.refill(text, anchor)
            start = len(self.past)
        self.evict(frames)
        positions = range(start, start + frames)
        grid = torch.linspace(1, 0, 1001)[:-1]
        sigmas = self.spec.shift * grid / (1 + (self.spec.shift - 1) * grid)
        x, own = noise_nFCHW[0].double(), list[Seen]()
        for i, timestep in enumerate(timesteps):
            sigma = float(sigmas[(sigmas * 1000 - timestep).abs().argmin()])
            if i:
                x = (1 - sigma) * x + sigma * noise_nFCHW[i].double()
            flow, own = self.dit(x, timestep, text, self.past, positions, relative=self.relative, memory=memory)
            x = x - sigma * flow
        if self.spec.context_t is not None:
            _, own = self.dit(x, self.spec.context_t, text, self.past, positions, relative=self.relative)
        self.past += own
        self.done += list(x)
        return x
