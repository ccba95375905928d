"""From a configuration and a model to the kind of stream that is painted."""

from __future__ import annotations

from dataclasses import replace

from sdv2_live.config.schema import Config
from sdv2_live.config.schema_engine import EngineConfig
from sdv2_live.control.params import Params
from sdv2_live.engine.spec import Mode, Schedule, StreamSpec
from sdv2_live.gpu.geometry import Size
from sdv2_live.model.dit.cache_spec import TIME_ROWS, CacheSpec
from sdv2_live.model.profiles import Profile, StreamKind


def stream_spec(config: Config, kind: StreamKind, size: Size, params: Params) -> StreamSpec:
    """The stream of a model at this size (height, width). What the configuration leaves open is as the model was trained.

    Raises EngineError for values that do not go together.
    """
    engine = config.engine
    schedule = schedule_of(engine, kind)
    end = engine.rope_refresh_frame
    return replace(
        spec_of(kind, size, cache_spec(engine, kind, params.adapt_sink_threshold)),
        schedule=schedule,
        levels=len(params.steps) if schedule is Schedule.STREAM_BATCH else 1,
        rope_refresh_frame=kind.rope_refresh_frame if end is None else end,
        normalize_latents=kind.normalize_latents or params.normalize_latents,
        mode=engine.mode,
    )


def spec_of(kind: StreamKind, size: Size, cache: CacheSpec) -> StreamSpec:
    """A stream that runs as its model was trained, with a cache of this size; its positions end where all do."""
    return StreamSpec(
        *size,
        cache=cache,
        rope_refresh_frame=TIME_ROWS,
        block=kind.block,
        first_frames=kind.first_frames,
        shift=kind.shift,
        warp=kind.warp,
        steps=kind.steps,
        first_steps=kind.first_steps,
        context_t=kind.context_t,
        positions=kind.positions,
        recompute=kind.recompute,
    )


def start_values(config: Config, profile: Profile) -> Params:
    """The start values of the parameters: as configured, and as suits the model where nobody chose."""
    return replace(config.params, **{name: value for name, value in profile.suited.items() if name not in config.given})


def schedule_of(engine: EngineConfig, kind: StreamKind) -> Schedule:
    """The order of the denoising steps."""
    return engine.schedule if engine.mode is Mode.VIDEO and kind.own else Schedule.SEQUENTIAL


def cache_spec(engine: EngineConfig, kind: StreamKind, threshold: float) -> CacheSpec:
    """The cache: as configured, else as the model was trained. threshold: below it a sink is replaced, if the model does that."""
    kept, sinks = engine.kv_frames, engine.sink_frames
    return CacheSpec(
        kind.window if kept is None else kept,
        kind.sinks if sinks is None else sinks,
        threshold if kind.adaptive_sinks else -1.0,
    )
