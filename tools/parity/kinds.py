"""How each kind of reference case is computed by the engine's own code. Used by main.py.

Everything is computed where the case's tensors are. Kinds of the other Self-Forcing students are in family.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext

import torch

from sdv2_live.engine import steps
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.noise import MotionController
from sdv2_live.engine.scheduler import FlowSchedule
from sdv2_live.engine.spec import ChunkSettings, Schedule, StreamSpec
from sdv2_live.engine.timesteps import timesteps_of
from sdv2_live.model.checkpoints.assign import load_strict, synthetic_state_dict
from sdv2_live.model.dit.cache_spec import CacheSpec
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.sizes import Stage, TaehvConfig, TextConfig
from sdv2_live.model.text.umt5 import UMT5, transformers_state
from sdv2_live.model.vae.taehv import TAEHV
from sdv2_live.model.vae.wan import WanVAE

from .common import Case, Comparison, Data, InjectedNoise, dit_config, filled, pairs, place, vae_config
from .family import run_block_stream, run_causal_block, run_step_warp
from .ranks import Ranks


def cache_spec(case: Case) -> CacheSpec:
    return CacheSpec(case["kv_frames"], case["sink_frames"], case.get("adapt_sink_threshold", -1))


def run_wan_vae(case: Case, data: Data) -> Iterator[Comparison]:
    vae: WanVAE = filled(WanVAE(vae_config(case)), case, data)
    memory, video, at, streamed = vae.new_memory(), data["video"], 0, []
    for i in range(case["chunks"]):
        count = data[f"latent.{i}"].shape[2]
        step = vae.config.time_factor
        frames = 1 + step * (count - 1) if i == 0 else step * count
        streamed.append(vae.encode(video[:, :, at : at + frames], memory).transpose(1, 2))
        yield f"latent.{i}", streamed[-1], data[f"latent.{i}"]
        at += frames
        yield f"pixels.{i}", vae.decode(data[f"z.{i}"].transpose(1, 2), memory), data[f"pixels.{i}"]
    if "latent_full" in data:
        yield "latent_full", torch.cat(streamed, dim=2), data["latent_full"]
        yield "latent_full, whole clip", vae.encode(video, vae.new_memory()).transpose(1, 2), data["latent_full"]


def run_causal_dit(case: Case, data: Data) -> Iterator[Comparison]:
    dit: CausalDiT = filled(CausalDiT(dit_config(case["config"])), case, data)
    cache, rope, cross = dit.new_cache(cache_spec(case), tuple(case["latent_hw"])), dit.rope(), dit.condition(data["context"])
    for i, call in enumerate(case["calls"]):
        t = torch.full((1, call["num_frames"]), float(call["timestep"]), device=place(data))
        yield f"flow.{i}", dit(data[f"x.{i}"], t, [call["start_frame"]], cross=cross, cache=cache, rope=rope), data[f"flow.{i}"]


def run_causal_dit_stream_batch(case: Case, data: Data) -> Iterator[Comparison]:
    dit: CausalDiT = filled(CausalDiT(dit_config(case["config"])), case, data)
    spec, latent_hw, timesteps = cache_spec(case), tuple(case["latent_hw"]), case["steps"]
    single, cache = dit.new_cache(spec, latent_hw), dit.new_cache(spec, latent_hw, len(timesteps))
    rope, cross = dit.rope(), dit.condition(data["context"])
    for i, step in enumerate(timesteps):
        x = data[f"prep_x.{i}"]
        t = torch.full(x.shape[:2], float(step), device=place(data))
        yield f"prep_flow.{i}", dit(x, t, [0], cross=cross, cache=single, rope=rope), data[f"prep_flow.{i}"]
    cache.copy_level_(single)
    t = torch.tensor(timesteps, dtype=torch.float32, device=place(data))[:, None]
    for i, call in enumerate(case["calls"]):
        yield f"flow.{i}", dit(data[f"x.{i}"], t, call["start_frames"], cross=cross, cache=cache, rope=rope), data[f"flow.{i}"]


def run_umt5_encoder(case: Case, data: Data) -> Iterator[Comparison]:
    c = case["config"]
    config = TextConfig(
        c["vocab_size"], c["dim"], c["dim_attn"], c["dim_ffn"], c["num_heads"], c["encoder_layers"], c["num_buckets"]
    )
    model = UMT5(config).to(place(data)).eval()
    state = synthetic_state_dict({k: tuple(v) for k, v in case["manifest"].items()}, case.get("gain", 1.0))
    load_strict(model.encoder, transformers_state(state), "case.json manifest")
    yield "out", model(data["ids"], data["mask"]), data["out"]


def taehv_config(manifest: dict[str, list[int]]) -> TaehvConfig:
    """Widths and block counts read off a manifest: a 1x1 `conv.weight` is a pool or a growth, `conv.0` a memory block."""

    def stages(half: str, growing: bool) -> list[Stage]:
        indices = sorted({int(k.split(".")[1]) for k in manifest if k.startswith(half + ".")})
        found: list[Stage] = []
        blocks = 0
        for i in indices:
            resize = manifest.get(f"{half}.{i}.conv.weight")
            if f"{half}.{i}.conv.0.weight" in manifest:
                blocks += 1
            elif resize and growing:
                found.append(Stage(resize[1], blocks, resize[0] // resize[1], 2))
                blocks = 0
            elif resize:
                count = sum(f"{half}.{j}.conv.0.weight" in manifest for j in range(i, next_resize(half, i)))
                found.append(Stage(manifest[f"{half}.{i + 1}.weight"][0], count, resize[1] // resize[0], 2))
        return found

    def next_resize(half: str, i: int) -> int:
        later = [int(k.split(".")[1]) for k in manifest if k.startswith(half) and k.endswith("conv.weight")]
        return min((j for j in later if j > i), default=1000)

    last = max((k for k in manifest if k.startswith("decoder.") and k.endswith("weight")), key=lambda k: int(k.split(".")[1]))
    return TaehvConfig(
        latent=manifest["decoder.1.weight"][1],
        encoder=tuple(stages("encoder", growing=False)),
        decoder=tuple(stages("decoder", growing=True)),
        final_width=manifest[last][1],
    )


def run_taehv(case: Case, data: Data) -> Iterator[Comparison]:
    taehv: TAEHV = filled(TAEHV(taehv_config(case["manifest"])), case, data)
    memory = taehv.new_memory()
    raw = torch.cat([taehv.decode_frames(z, memory) for z in data["z"].split(1, dim=1)], dim=1)
    yield "raw, streamed", raw, data["raw"]
    yield "raw, whole clip", taehv.decode_frames(data["z"], taehv.new_memory()), data["raw"]
    memory = taehv.new_memory()
    pixels = torch.cat([taehv.decode(z, memory) for z in data["z"].split(1, dim=1)], dim=2).transpose(1, 2)
    yield "pixels", (pixels * 0.5 + 0.5).clamp(0, 1), data["pixels"]
    memory = taehv.new_memory()
    latent = torch.cat([taehv.encode_frames(v, memory) for v in data["video"].split(4, dim=1)], dim=1)
    yield "latent, streamed", latent, data["latent"]
    yield "latent, whole clip", taehv.encode_frames(data["video"], taehv.new_memory()), data["latent"]


def run_scheduler(case: Case, data: Data) -> Iterator[Comparison]:
    schedule, timesteps = FlowSchedule(case["shift"], case.get("num_train_timesteps", 1000)), case["timesteps_t"]
    numbers = schedule.numbers(schedule.sigma(timesteps[0]), timesteps, [0] * len(timesteps)).to(place(data))
    _, sigma, noise_share, clean_share, *_ = (column.view(-1, *[1] * (data["x"].ndim - 1)) for column in numbers.unbind(1))
    yield "sigma", sigma.flatten(), torch.tensor(case["sigma_at"])
    yield "noised", steps.noised(data["x"], data["noise"], clean_share, noise_share), data["noised"]
    yield "x0", steps.clean(data["noised"], data["flow"], sigma), data["x0"]
    wanted = case["noise_controller"]
    motion, chunk, chosen = MotionController(), wanted["chunk"], wanted["init_noise_scale"]
    motion.update(data["video"][:, :, : wanted["sequence"][0]["end_frame"] - chunk], chosen, enabled=True)
    ends = [entry["end_frame"] for entry in wanted["sequence"]]
    scales = [motion.update(data["video"][:, :, end - chunk : end], chosen, enabled=True) for end in ends]
    firsts = [float(timesteps_of(StreamSpec(16, 16), (1000,), scale, first=False)[0]) for scale in scales]
    yield "noise scale", torch.tensor(scales), torch.tensor([entry["noise_scale"] for entry in wanted["sequence"]])
    yield "first timestep", torch.tensor(firsts), torch.tensor([float(e["first_timestep"]) for e in wanted["sequence"]])


def run_stream(case: Case, data: Data, ranks: Ranks | None = None) -> Iterator[Comparison]:
    dit: CausalDiT = filled(CausalDiT(dit_config(case["dit"])), case, data, "dit_manifest")
    vae: WanVAE = filled(WanVAE(vae_config(case["vae"])), case, data, "vae_manifest")
    with nullcontext(Engine(dit, vae)) if ranks is None else ranks.engine(dit, vae, case) as engine:
        yield from streamed(engine, case, data)


def streamed(engine: Engine, case: Case, data: Data) -> Iterator[Comparison]:
    timesteps = tuple(case["steps"])
    spec = StreamSpec(
        case["height"],
        case["width"],
        Schedule(case["mode"]),
        len(timesteps),
        cache_spec(case),
        case.get("rope_refresh_frame", 50),
        case.get("normalize_latents", False),
    )
    state = engine.new_state(spec)
    state.noise = InjectedNoise(data)
    settings = ChunkSettings(case["init_noise_scale"], timesteps, noise_controller=case.get("noise_controller", True))
    cross = engine.dit.condition(data["context"])
    scales, starts = [], []
    for entry in case["log"]:
        i, (begin, end) = entry["chunk"], entry["frames"]
        pixels = data["video"][:, :, begin:end]
        latent, plan = engine.encode(pixels, state), engine.plan(pixels, settings, state)
        clean = engine.denoise(latent, cross, plan, 0, state)
        scales.append((plan.noise_scale, entry["noise_scale"]))
        starts.append((state.next_start - latent.shape[1], entry["start_frame"]))
        if (clean is None) != (f"x0.{i}" not in data):
            yield f"x0.{i} exists", torch.zeros(1), torch.ones(1)
        elif clean is not None:
            yield f"x0.{i}", clean, data[f"x0.{i}"]
            yield f"pixels.{i}", engine.decode(clean, state), data[f"pixels.{i}"]
    yield from pairs("noise scale", scales)
    yield from pairs("start frame", starts)


RUNNERS: dict[str, Callable[[Case, Data], Iterator[Comparison]]] = {
    "wan_vae": run_wan_vae,
    "causal_dit": run_causal_dit,
    "causal_dit_stream_batch": run_causal_dit_stream_batch,
    "umt5_encoder": run_umt5_encoder,
    "taehv": run_taehv,
    "scheduler": run_scheduler,
    "stream": run_stream,
    "causal_block": run_causal_block,
    "block_stream": run_block_stream,
    "step_warp": run_step_warp,
}
