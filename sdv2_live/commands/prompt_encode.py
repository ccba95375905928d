"""`sdv2-live prompt encode`: encode prompts before the show, so that it need not.

A show whose prompts are all encoded needs no text encoder, not even its files: copy the folder of model.prompt_cache to the
machine on stage. Embeddings are kept by prompt and by encoder (its name and precision class); those of another encoder are
never taken for this one's. What is there already is not encoded again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sdv2_live import logs
from sdv2_live.commands.options import add_config_options, add_model_options, configured
from sdv2_live.config.schema import Config
from sdv2_live.control.params import PARAMS, Kind
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.timeline.files import load_timeline
from sdv2_live.errors import ConfigError

SHOWN = 70  # characters of a prompt in a line


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_config_options(parser)
    add_model_options(parser)
    parser.add_argument("presets", nargs="*", metavar="PRESET", help="presets by name or number")
    parser.add_argument("--all", action="store_true", help="every preset of presets.dir, and the start values of --config")
    parser.add_argument("--text", action="append", default=[], metavar="TEXT", help="a prompt; may be repeated")
    parser.add_argument(
        "--timeline", action="append", default=[], type=Path, metavar="FILE", help="every prompt of a timeline; may be repeated"
    )


def run(args: argparse.Namespace) -> int:
    """Encode the prompts that are not encoded yet and return 0. Raises Sdv2Error for the top to print."""
    from sdv2_live.pipeline.build import chosen_profile, text_alone  # here: torch takes seconds to import, and --help shall not

    config = configured(args)
    prompts = list(dict.fromkeys(_prompts(args, config, chosen_profile(config).name)))
    if not prompts:
        raise ConfigError("there is no prompt to encode: name presets, or give --all, --text or --timeline")
    if config.model.prompt_folder is None:
        raise ConfigError("model.prompt_cache is off, so encoded prompts cannot be kept: set it to auto or a folder")
    text, disk = text_alone(config)
    known = [prompt for prompt in prompts if disk.has(prompt)]
    for prompt in known:
        logs.say(f"cached   {_short(prompt)}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(f"encoding with {text.identities[0]}", total=len(prompts) - len(known))
        for prompt in (prompt for prompt in prompts if prompt not in known):
            disk.store(prompt, text.encode(prompt))
            if not disk.has(prompt):
                raise ConfigError(f"{config.model.prompt_folder}: cannot be written; set model.prompt_cache to a folder of yours")
            logs.say(f"encoded  {_short(prompt)}")
            bar.advance(task)
    text.free()
    done = len(prompts) - len(known)
    logs.say(f"{disk.folder}: {done} encoded, {len(known)} there already, by {text.identities[0]}")
    return 0


def _prompts(args: argparse.Namespace, config: Config, painter: str) -> Iterator[str]:
    yield from args.text
    library = PresetLibrary(config.presets.folder, names=config.names, painter=painter)
    if args.all:
        yield from texts_of([preset.values for preset in library.presets])
        yield from (text for text in (config.params.prompt, *config.params.prompts) if text)
        for problem in library.problems:
            logs.say(problem, to=sys.stderr)
    yield from texts_of(library.get(name).values for name in args.presets)
    if args.preset is not None:
        yield from texts_of([library.get(args.preset).values])
    for path in args.timeline:
        yield from texts_of(event.values for event in load_timeline(path, config.names).events)


def texts_of(values: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Every prompt among parameters' values: of all slots, and the cue."""
    for named in values:
        for name, value in named.items():
            if name in PARAMS and PARAMS[name].kind is Kind.TEXT and value:
                yield str(value)


def _short(prompt: str) -> str:
    return prompt if len(prompt) <= SHOWN else f"{prompt[: SHOWN - 3]}..."
