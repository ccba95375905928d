"""Settings that contradict the model that they are for."""

from __future__ import annotations

from collections.abc import Iterator

from sdv2_live.config.profiles import PROFILES, find_profile
from sdv2_live.config.schema import Config
from sdv2_live.engine.spec import Mode, Schedule
from sdv2_live.errors import ConfigError
from sdv2_live.model.profiles import Profile
from sdv2_live.yamlfile import KeyPath

AUTO = "1.3b"  # stands for the model of `auto`, whose other choice, tiny, streams alike


def against_model(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """The key and a sentence on each setting that the model cannot have. An unknown model is one, too."""
    model = config.model
    try:
        profile = find_profile(AUTO if model.profile == "auto" else model.profile, model.profiles_dir)
    except ConfigError as error:
        yield ("model", "profile"), str(error)
        return
    yield from _cache(config, profile)
    kind, engine = profile.stream, config.engine
    if engine.schedule is Schedule.STREAM_BATCH and not kind.own:
        yield ("engine", "schedule"), f"stream_batch is not for the model {profile.name}; give sequential"
    yield from _image(config, profile)


def _cache(config: Config, profile: Profile) -> Iterator[tuple[KeyPath, str]]:
    engine, kind = config.engine, profile.stream
    kept = kind.window if engine.kv_frames is None else engine.kv_frames
    sinks = kind.sinks if engine.sink_frames is None else engine.sink_frames
    end = kind.rope_refresh_frame if engine.rope_refresh_frame is None else engine.rope_refresh_frame
    if sinks >= kept:
        yield ("engine", "sink_frames"), f"{sinks} sinks do not fit kv_frames {kept}; give at most {kept - 1}"
    if end <= kept:
        yield ("engine", "rope_refresh_frame"), f"{end} is not above kv_frames {kept}; give at least {kept + 1}"
    least = max((kind.recompute or 0) + kind.block, (kind.first_frames + 3) // 4)
    if kept < least:
        yield ("engine", "kv_frames"), f"{kept} do not hold what {profile.name} paints at a time; give at least {least}"
    elif 0 < kept - sinks < kind.block:
        most = kept - kind.block
        yield (
            ("engine", "sink_frames"),
            f"beside {sinks} sinks no chunk of {profile.name} fits kv_frames {kept}; give at most {most}",
        )


def _image(config: Config, profile: Profile) -> Iterator[tuple[KeyPath, str]]:
    image, key = config.input.image, ("input", "first_image")
    if image is None:
        return
    if not profile.stream.takes_image:
        fit = ", ".join(one.name for one in PROFILES.values() if one.stream.takes_image)
        chosen = "what auto chooses" if config.model.profile == "auto" else profile.name
        yield key, f"{chosen} cannot begin with a picture; give model.profile one of {fit}"
    elif config.engine.mode is not Mode.TEXT:
        yield key, "a stream that restyles an input begins with that; give engine.mode text"
    elif not image.is_file():
        yield key, f"{image} is no file; check the path"
