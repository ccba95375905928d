"""Options that several subcommands share, and the configuration they add up to."""

from __future__ import annotations

import argparse
import logging
import math
from pathlib import Path

from sdv2_live.config.load import load_config
from sdv2_live.config.schema import Config
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.timeline.files import load_timeline
from sdv2_live.control.timeline.model import Timeline

log = logging.getLogger("sdv2_live.timeline")


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """--config and --set."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="YAML file laid over the shipped config/default.yaml")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override any key, such as osc.port=9123 or video.size=256x256 (height first); may be repeated",
    )


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """--preset, --model, --device, --gpus and --fit."""
    parser.add_argument("--preset", metavar="NAME", help="start with this preset, by name or number")
    parser.add_argument("--model", metavar="NAME", help="model profile: auto or one of sdv2-live weights list (default: auto)")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], help="where the model runs (default: auto)")
    add_gpus_option(parser)
    fit = "where memory is short, take smaller settings in place of an error"
    parser.add_argument("--fit", action="store_const", const="true", help=fit)


def add_gpus_option(parser: argparse.ArgumentParser, default: str = "model.gpus") -> None:
    """--gpus."""
    said = f"cards: auto, how many, or which, such as 0,1; without GPUs: how many processes (default: {default})"
    parser.add_argument("--gpus", metavar="GPUS", help=said)


def configured(args: argparse.Namespace, **keys: str | None) -> Config:
    """The configuration of parsed options; `keys` are further options by their configuration key, dots as __.

    Options override --set, which overrides the file, which overrides the defaults. Raises ConfigError.
    """
    keys |= {"model__profile": getattr(args, "model", None), "model__device": getattr(args, "device", None)}
    keys |= {"model__fit": getattr(args, "fit", None), "model__gpus": getattr(args, "gpus", None)}
    given = [f"{key.replace('__', '.')}={value}" for key, value in keys.items() if value is not None]
    return load_config(args.config, [*args.set, *given])


def timeline_of(path: Path, config: Config) -> Timeline:
    """The timeline in a file, for a show. Raises ConfigError, also when a preset that it recalls does not exist."""
    timeline = load_timeline(path, config.names, PresetLibrary(config.presets.folder, names=config.names))
    for note in timeline.notes:
        log.warning("%s: %s", path, note)
    return timeline


def sized(config: Config, timeline: Timeline | None) -> Config:
    """The configuration with the picture's size that a timeline of Scope's requests, unless the performer has set one."""
    if timeline is None or timeline.size is None or config.video.size is not None:
        return config
    log.info("video.size is %dx%d, as the timeline asks; set another to have that", *timeline.size)
    return config.replaced(video=config.video.model_copy(update={"size": timeline.size}))


def seconds(text: str) -> float:
    """Parse an option's time: a number of seconds above 0."""
    value = float(text)
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return value
