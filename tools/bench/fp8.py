"""What 8-bit linear layers cost in exactness: `python tools/bench.py --fp8`.

The same DiT (synthetic weights of the model's sizes) in bf16 and with model.fp8, on the same inputs: relative RMS and largest
error of the flow, and the PSNR of the pixels that a chunk decodes to. Elsewhere than on a GPU with fp8 units the rounded numbers
are multiplied in float32, which is what the GPU computes up to the order of its sums. Speed is told by a GPU only.
"""

from __future__ import annotations

import argparse
import copy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from sdv2_live.config.load import load_config
from sdv2_live.config.profiles import find_profile
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.spec import ChunkPlan, StreamSpec
from sdv2_live.model.checkpoints.assign import load_strict, synthetic_state_dict
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.dit.fp8 import round_layers, to_fp8, why_not_fp8
from sdv2_live.model.dit.ops import TorchOps
from sdv2_live.model.load import choose_device
from sdv2_live.model.vae_choice import make_vae, vae_kind

CHUNKS = 4
TINIEST = 1e-12


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """The errors as a table's figures. --fp8-layers: so many of the DiT are run; all of a large one's take long on a CPU."""
    config = load_config(None, [f"video.size={options.size}", f"model.device={options.device}"])
    device, chosen, size = choose_device(config.model.device), find_profile(options.model), config.video.size
    assert size is not None
    if options.fp8_layers:
        chosen = replace(chosen, dit=replace(chosen.dit, layers=min(options.fp8_layers, chosen.dit.layers)))
    dit, vae = CausalDiT(chosen.dit), make_vae(chosen, vae_kind(chosen, options.vae))
    for model, gain in ((dit, 1.0), (vae, 1.4)):
        shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
        load_strict(model, synthetic_state_dict(shapes, gain), "synthetic")
        model.to(torch.bfloat16).eval().requires_grad_(False)
    eight = copy.deepcopy(dit)
    problem = why_not_fp8(device)
    count = to_fp8(eight, device) if problem is None else round_layers(eight, TorchOps(), device)
    first, second = (_paint(Engine(m, vae.to(device)), chosen.text.dim, size) for m in (dit.to(device), eight))
    flow, pixels = (_errors(first[i], second[i]) for i in (0, 1))
    return {
        "model": chosen.name,
        "layers": chosen.dit.layers,
        "linear layers in fp8": count,
        "arithmetic": "fp8" if problem is None else f"of the same numbers in float32 ({problem})",
        "size": options.size,
        "device": str(device),
        "flow": {"relative RMS error": flow[0], "largest error / RMS": flow[1]},
        "pixels": {"PSNR dB": pixels[2], "largest error (of 2)": pixels[3]},
        "torch": torch.__version__,
    }


@torch.inference_mode()
def _paint(engine: Engine, text_dim: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The flow of one call on known latents, and the pixels of some chunks of noise-like input."""
    generator = torch.Generator().manual_seed(1)
    cross = engine.dit.condition(torch.randn(1, 60, text_dim, generator=generator))
    spec = StreamSpec(*size)
    x = torch.randn(1, 2, 16, *spec.latent_hw, generator=generator).to(engine.device)
    t = torch.full((1, 2), 700.0, device=engine.device)
    cache = engine.dit.new_cache(spec.cache, spec.latent_hw)
    flow = engine.dit(x, t, [0], cross=cross, cache=cache, rope=engine.dit.rope()).float()
    state, pictures = engine.new_state(spec), []
    for chunk in range(CHUNKS):
        video = torch.rand(1, 3, 5 if chunk == 0 else 4, *size, generator=generator) * 2 - 1
        clean = engine.denoise(engine.encode(video, state), cross, ChunkPlan(0.7, (700, 500)), 42, state)
        assert clean is not None
        pictures.append(engine.decode(clean, state).float())
    return flow.cpu(), torch.cat(pictures, dim=2).cpu()


def _errors(exact: Tensor, other: Tensor) -> tuple[float, float, float, float]:
    """Relative RMS, largest over RMS, PSNR (range 2) in dB, largest."""
    difference = other - exact
    rms, error = exact.square().mean().sqrt(), difference.square().mean().sqrt().clamp_min(TINIEST)
    largest = difference.abs().max()
    return float(error / rms), float(largest / rms), float(20 * torch.log10(2 / error)), float(largest)
