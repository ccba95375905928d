"""How the reference cases of the other Self-Forcing students are computed: blocks of latents, and videos of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from sdv2_live.engine.engine import Engine
from sdv2_live.engine.scheduler import FlowSchedule
from sdv2_live.engine.spec import ChunkPlan, Mode, StreamSpec, frames_of
from sdv2_live.engine.state import StreamState
from sdv2_live.engine.timesteps import timesteps_of
from sdv2_live.model.checkpoints.assign import synthetic_state_dict
from sdv2_live.model.dit.cache_spec import TIME_ROWS, CacheSpec
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.dit.layers import CrossKV
from sdv2_live.model.vae.wan import WanVAE

from .common import Case, Comparison, Data, InjectedNoise, dit_config, filled, pairs, place, vae_config


class NoAutoencoder:
    """In place of an autoencoder where latents are all that a case has."""

    def new_memory(self) -> None:
        """There is no state."""

    def push(self, pixels_NCTHW: Tensor, memory: Any) -> None:
        raise NotImplementedError

    def encode(self, pixels_NCTHW: Tensor, memory: Any, *, normalize: bool = False) -> Tensor:
        raise NotImplementedError

    def decode(self, latent_NFCHW: Tensor, memory: Any) -> Tensor:
        raise NotImplementedError


def stream_spec(case: Case, size: tuple[int, int], mode: Mode, first_latents: int) -> StreamSpec:
    """The kind of stream that a case is of."""
    first_steps = case.get("first_steps")
    return StreamSpec(
        *size,
        cache=CacheSpec(case["window"], case["sinks"], -1),
        rope_refresh_frame=TIME_ROWS,
        normalize_latents=case.get("normalize_latents", False),
        mode=mode,
        block=case["block"],
        first_frames=frames_of(first_latents, first=True),
        shift=case["shift"],
        warp=case.get("warp", False),
        steps=tuple(case.get("steps", ())),
        first_steps=None if first_steps is None else tuple(first_steps),
        context_t=case["context_t"],
        positions=case["positions"],
        recompute=case["recompute"],
        recache_sinks=case.get("recache_sinks", False),
    )


def with_lora(dit: CausalDiT, case: Case, data: Data) -> CausalDiT:
    """The model with the case's low-rank layers merged: W + alpha/rank * B A."""
    if "lora_manifest" in case:
        low = synthetic_state_dict({key: tuple(shape) for key, shape in case["lora_manifest"].items()}, case.get("gain", 1.0))
        for key in (key for key in low if key.endswith(".lora_A.weight")):
            name = key.removeprefix("base_model.model.").replace(".lora_A.weight", ".weight")
            down, up = (low[key.replace("lora_A", part)].to(place(data)) for part in ("lora_A", "lora_B"))
            dit.get_parameter(name).data.add_(up @ down, alpha=case["lora_alpha"] / case["lora_rank"])
    return dit


def change_prompt(entry: dict[str, Any], engine: Engine, cross: CrossKV, state: StreamState) -> None:
    """What the entry of a block says of the past."""
    if entry.get("flush"):
        state.flush_()
    if entry.get("recache"):
        engine.recache(cross, state)


def run_causal_block(case: Case, data: Data) -> Iterator[Comparison]:
    dit = with_lora(filled(CausalDiT(dit_config(case["config"])), case, data), case, data)
    engine, (h, w), blocks = Engine(dit, NoAutoencoder()), case["latent_hw"], case["blocks"]
    spec = stream_spec(case, (8 * h, 8 * w), Mode.TEXT, blocks[0]["latents"])
    state = engine.new_state(spec)
    state.noise = InjectedNoise(data)
    prompts: dict[int, CrossKV] = {}
    positions, generated = [], 0
    for i, block in enumerate(blocks):
        cross = prompts.setdefault(block["prompt"], dit.condition(data[f"context.{block['prompt']}"]))
        change_prompt(block, engine, cross, state)
        if state.anchor is not None:
            state.anchor.latent = data.get(f"anchor.{i}")
        if block.get("given"):
            state.given, plan = data[f"x0.{i}"], ChunkPlan(0.0, ())
        else:
            plan = ChunkPlan(1.0, tuple(block["timesteps"]), case.get("attention_bias", 1.0))
            ours = timesteps_of(spec, (), 1.0, first=generated == 0)
            yield f"timesteps.{i}", torch.tensor(ours), torch.tensor(plan.timesteps)
            generated += 1
        latent = torch.zeros(1, block["latents"], dit.config.channels, h, w, device=place(data))
        clean = engine.denoise(latent, cross, plan, 0, state)
        assert clean is not None
        yield f"x0.{i}", clean, data[f"x0.{i}"]
        positions.append((state.next_start - block["latents"], block.get("position", block["start"])))
    yield from pairs("position", positions)


def run_block_stream(case: Case, data: Data) -> Iterator[Comparison]:
    dit: CausalDiT = filled(CausalDiT(dit_config(case["dit"])), case, data, "dit_manifest")
    vae: WanVAE = filled(WanVAE(vae_config(case["vae"])), case, data, "vae_manifest")
    engine, log = Engine(with_lora(dit, case, data), vae), case["log"]
    spec = stream_spec(case, (case["height"], case["width"]), Mode.VIDEO, log[0]["latents"])
    state = engine.new_state(spec)
    state.noise = InjectedNoise(data)
    prompts: dict[int, CrossKV] = {}
    starts, positions = [], []
    for entry in log:
        i, (begin, end) = entry["chunk"], entry["frames"]
        cross = prompts.setdefault(entry["prompt"], dit.condition(data[f"context.{entry['prompt']}"]))
        change_prompt(entry, engine, cross, state)
        starts.append((state.latents, entry["start_frame"]))
        latent = engine.encode(data["video"][:, :, begin:end], state)
        plan = ChunkPlan(entry["noise_scale"], tuple(entry["timesteps"]), case.get("attention_bias", 1.0))
        clean = engine.denoise(latent, cross, plan, 0, state)
        assert clean is not None
        yield f"x0.{i}", clean, data[f"x0.{i}"]
        yield f"pixels.{i}", engine.decode(clean, state), data[f"pixels.{i}"]
        positions.append((state.next_start - latent.shape[1], entry.get("position", entry["start_frame"])))
    yield from pairs("start frame", starts)
    yield from pairs("position", positions)


def run_step_warp(case: Case, data: Data) -> Iterator[Comparison]:
    for name, row in zip(case["names"], case["rows"], strict=True):
        schedule, steps = FlowSchedule(row["shift"]), row["steps"]
        timesteps = [schedule.warped(step) for step in steps] if row["warp"] else [float(step) for step in steps]
        yield f"timesteps.{name}", torch.tensor(timesteps), data[f"timesteps.{name}"]
        yield f"sigmas.{name}", torch.tensor([schedule.sigma(t) for t in timesteps]), data[f"sigmas.{name}"]
