"""Count a chunk's work without doing it: `python -m tools.bench.traffic --size 512x512`.

Arithmetic and bytes of memory traffic of the autoencoders and the DiT at their real sizes, on tensors without memory (meta).
Traffic: every operation reads its inputs and writes its outputs once, from and to memory; caches are not reckoned with. A
convolution's bias counts as one more pass over its output, as PyTorch leaves it to cuDNN's caller. `--ops torch` counts
PyTorch's own operations between the convolutions in place of the fused kernel.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from sdv2_live.config.profiles import PROFILES
from sdv2_live.memory.live_bytes import FusedAttention
from sdv2_live.model.checkpoints.assign import on_meta
from sdv2_live.model.profiles import Profile
from sdv2_live.model.sizes import DitConfig
from sdv2_live.model.vae import backend as vae_backend
from sdv2_live.model.vae import ops as vae_ops
from sdv2_live.model.vae_choice import VAES, make_vae

TEXT_ROWS = 512
CONVOLUTION = torch.ops.aten.convolution.default
FREE = ("empty", "new_empty", "empty_strided", "new_empty_strided", "detach", "lift_fresh", "empty_like")


@dataclass(frozen=True, slots=True)
class Work:
    """flops: floating-point operations, a multiply-add being two. bytes: read and written. launches: operations that do so."""

    flops: float
    bytes: float
    launches: int


class Traffic(TorchDispatchMode):
    """Counts the bytes that operations read and write, and those operations."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = self.launches = 0

    def add(self, *tensors: Tensor | None) -> None:
        """One operation that reads or writes each of these once."""
        self.launches += 1
        self.bytes += sum(tensor.numel() * tensor.itemsize for tensor in tensors if tensor is not None)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func.is_view or func.overloadpacket.__name__ in FREE:
            return out
        read = [tensor for tensor in tree_leaves((args, kwargs)) if isinstance(tensor, Tensor)]
        written = [tensor for tensor in tree_leaves(out) if isinstance(tensor, Tensor)]
        if written and all(any(_same(tensor, other) for other in read) for tensor in written):  # in place, or nothing to do
            if not func._schema.is_mutable:
                return out
            read = [t for t in read if not any(_same(t, w) for w in written)] if func in OVERWRITES else read
        self.add(*read, *written)
        if func is CONVOLUTION and args[2] is not None:
            self.add(out, out)
        return out


OVERWRITES = (torch.ops.aten.copy_.default, torch.ops.aten.zero_.default, torch.ops.aten.fill_.Scalar)


def _same(a: Tensor, b: Tensor) -> bool:
    return a.untyped_storage()._cdata == b.untyped_storage()._cdata and a.storage_offset() == b.storage_offset()


@contextmanager
def fused(traffic: Traffic) -> Iterator[None]:
    """The autoencoders as on a GPU: the kernel's launches are counted, and not made."""
    from sdv2_live.model.vae import triton_ops as vae_triton

    def launch(pending: Any, out: Tensor, *, past: Tensor | None = None, **options: Any) -> None:
        frames = options.get("gamma"), options.get("total")
        traffic.add(pending.x, pending.bias, pending.skip, out, past, past, *frames)  # the past is read and replaced

    found, made = vae_backend.find_vae_ops, vae_triton._launch
    vae_backend.find_vae_ops, vae_triton._launch = lambda device, channels=0: vae_triton.TritonVaeOps(), launch  # type: ignore[assignment]
    try:
        yield
    finally:
        vae_backend.find_vae_ops, vae_triton._launch = found, made


@contextmanager
def plain(traffic: Traffic) -> Iterator[None]:
    """The autoencoders in PyTorch's own operations."""
    yield


def vae_work(profile: Profile, kind: str, size: tuple[int, int], *, ops: str = "fused") -> dict[str, Work]:
    """Encoding and decoding one chunk of 4 frames, bfloat16, in the middle of a stream. size: (height, width)."""
    height, width = size
    work: dict[str, Work] = {}
    with torch.no_grad(), FusedAttention():
        vae = on_meta(lambda: make_vae(profile, kind)).to("meta", torch.bfloat16).eval()
        vae_ops.channels_last(vae)
        memory: Any = vae.new_memory()
        for frames, latents in ((5, 2), (4, 1)):
            pixels = torch.zeros(1, 3, frames, height, width, device="meta", dtype=torch.bfloat16)
            latent = torch.zeros(1, latents, 16, height // 8, width // 8, device="meta", dtype=torch.bfloat16)
            runs: dict[str, Callable[[], Any]] = {
                "encode": lambda x=pixels: vae.encode(x, memory),  # type: ignore[misc]
                "decode": lambda x=latent: vae.decode(x, memory),  # type: ignore[misc]
            }
            for name, run in runs.items():
                traffic, flops = Traffic(), FlopCounterMode(display=False)
                with (fused if ops == "fused" else plain)(traffic), traffic, flops:
                    run()
                work[name] = Work(flops.get_total_flops() + _attention(profile, kind, size), traffic.bytes, traffic.launches)
    return work


def _attention(profile: Profile, kind: str, size: tuple[int, int]) -> float:
    """Of the Wan VAE's one attention layer, which the flop counter is not shown: each latent pixel of a frame with each."""
    if profile.wan is None or kind in ("taehv", "lighttae"):
        return 0.0
    pixels = size[0] * size[1] / 64
    width = profile.wan.dim * profile.wan.dim_mult[-1] / (4 if kind == "light" else 1)
    return 4.0 * pixels * pixels * width


def dit_work(config: DitConfig, size: tuple[int, int], *, kv_frames: int = 6, itemsize: int = 2) -> Work:
    """One denoising step of one latent with a full cache. Traffic: the weights once, keys and values of the cache once."""
    tokens = size[0] * size[1] // 256
    matrices = 6 * config.dim**2 + 2 * config.dim * config.ffn  # of a layer, those that every token goes through
    attended = kv_frames * tokens + TEXT_ROWS
    flops = config.layers * tokens * (2.0 * matrices + 4.0 * attended * config.dim)
    weights = config.layers * matrices
    return Work(flops, itemsize * (weights + 2.0 * config.layers * attended * config.dim), 0)


def floor_ms(parts: Sequence[Work], tflops: float, bandwidth: float) -> float:
    """The least milliseconds on a card of so many TFLOP/s and TB/s, each part bound by one or the other."""
    return sum(1e3 * max(part.flops / (tflops * 1e12), part.bytes / (bandwidth * 1e12)) for part in parts)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="1.3b", choices=[name for name, one in PROFILES.items() if one.files])
    parser.add_argument("--size", action="append", metavar="HEIGHTxWIDTH", help="as often as needed (512x512 and 480x832)")
    parser.add_argument("--ops", default="fused", choices=["fused", "torch"])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    profile, result = PROFILES[options.model], {}
    for name in options.size or ["512x512", "480x832"]:
        height, _, width = name.partition("x")
        size = int(height), int(width)
        parts = {"dit, a step": dit_work(profile.dit, size)}
        for kind in VAES:
            parts |= {f"{kind} {what}": work for what, work in vae_work(profile, kind, size, ops=options.ops).items()}
        result[name] = {
            part: {"tflop": round(work.flops / 1e12, 3), "gb": round(work.bytes / 1e9, 2), "launches": work.launches}
            for part, work in parts.items()
        }
    if options.json:
        print(json.dumps(result, indent=1))
        return 0
    table = Table("size", "part", "TFLOP", "GB", "operations", title=f"a chunk of 4 frames, {options.ops}")
    for name, of_size in result.items():
        for part, numbers in of_size.items():
            table.add_row(name, part, *(str(number) for number in numbers.values()))
    Console(width=None if sys.stdout.isatty() else 100).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
