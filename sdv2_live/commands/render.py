"""`sdv2-live render`: a video file restyled offline, every frame."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from sdv2_live import logs
from sdv2_live.commands.options import add_config_options, add_model_options, configured, sized, timeline_of
from sdv2_live.control.macros import Macros
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.store import ParamStore
from sdv2_live.system.clock import monotonic


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "render", help="restyle a video file offline", description="Restyle every frame of a video file, however long it takes."
    )
    add_config_options(parser)
    add_model_options(parser)
    parser.add_argument("--vae", metavar="NAME", help="autoencoder: wan, light, taehv or lighttae (default: model.vae)")
    parser.add_argument("--input", type=Path, required=True, metavar="VIDEO", help="video file to read")
    parser.add_argument("--output", type=Path, required=True, metavar="VIDEO", help="file to write: .mp4, or .mkv for lossless")
    parser.add_argument("--prompt", metavar="TEXT", help="what the picture shall look like")
    parser.add_argument("--seed", metavar="N", help="seed of the noise")
    parser.add_argument(
        "--bpm", metavar="BPM", help="tempo of what moves with the beat; beat 1 is the first frame (default: tempo/bpm)"
    )
    parser.add_argument("--timeline", type=Path, metavar="FILE", help="parameter changes by video time (.yaml, or Scope's .json)")
    parser.add_argument("--max-frames", type=_count, metavar="N", help="stop after N frames")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Render; the same input, settings and seed give the same frames."""
    from sdv2_live.pipeline.build import chosen_profile, start_params  # here: torch takes seconds to import, and --help shall not
    from sdv2_live.pipeline.render import render

    config = configured(args, model__vae=args.vae)
    presets = PresetLibrary(config.presets.folder, names=config.names, painter=chosen_profile(config).name)
    store = ParamStore(start_params(config), Macros(presets), names=config.names)
    if args.preset is not None:
        store.set("preset", args.preset, f"--preset {args.preset}")
    for option, name in (("prompt", "prompt"), ("seed", "seed"), ("bpm", "tempo/bpm")):
        if getattr(args, option) is not None:
            store.set(name, getattr(args, option), f"--{option}")
    config = config.replaced(params=store.latest())
    timeline = timeline_of(args.timeline, config) if args.timeline is not None else None
    config = sized(config, timeline)
    begin = monotonic()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as bar:
        task = bar.add_task("rendering", total=_total(args.input, args.max_frames))
        count = render(
            config,
            args.input,
            args.output,
            timeline=timeline,
            max_frames=args.max_frames,
            progress=lambda done: bar.update(task, completed=done),
        )
    seconds = monotonic() - begin
    logs.say(f"{args.output}: {count} frames in {seconds:.1f} s ({count / seconds:.1f} fps)")
    return 0


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a number of frames; give at least 1")
    return value


def _total(path: Path, max_frames: int | None) -> int | None:
    """Frames the progress bar expects, as the container states them; None when it does not."""
    from sdv2_live.io.files.clip import frame_count

    stated = frame_count(path)
    return min(stated, max_frames) if stated and max_frames else stated or max_frames
