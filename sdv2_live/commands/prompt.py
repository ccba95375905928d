"""`sdv2-live prompt`: turn a short prompt into a long, detailed one (`expand`), or encode prompts before a show (`encode`)."""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from typing import Any

from sdv2_live import logs
from sdv2_live.commands import prompt_encode
from sdv2_live.commands.options import add_config_options, configured
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.errors import ExpandError

MAX_STDIN = 100_000  # characters

_EXPAND = """`sdv2-live prompt expand`: turn a short prompt into a long, detailed one.

With --model, by an instruction-tuned transformers model in a folder; with --endpoint, by a server that speaks OpenAI's chat
completions (its key, if it wants one, in the environment variable SDV2_API_KEY). The result is printed; --save also writes it
as a preset. When that fails, the prompt is printed as it was, with a message and a non-zero exit code, and nothing is saved.
"""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the `prompt` command to an argparse subparser group; its `run` is set as the default `run`."""
    parser: argparse.ArgumentParser = subparsers.add_parser("prompt", help="expand a prompt, or encode prompts before a show")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    expand = actions.add_parser(
        "expand",
        help="expand a prompt with a language model",
        description=_EXPAND,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_options(expand)
    expand.add_argument("text", metavar="PROMPT", help="what the picture shall look like, in a few words; - reads stdin")
    writer = expand.add_mutually_exclusive_group(required=True)
    writer.add_argument("--model", metavar="DIR", help="folder of an instruction-tuned transformers model")
    writer.add_argument("--endpoint", metavar="URL", help="server of chat completions, such as http://127.0.0.1:8080")
    expand.add_argument(
        "--endpoint-model", metavar="NAME", help="the server's model (default: the first that it lists and that writes)"
    )
    expand.add_argument("--insecure", action="store_true", help="permit plain http to another machine")
    expand.add_argument("--timeout", type=_seconds, default=60.0, metavar="S", help="seconds to wait (default: 60)")
    expand.add_argument("--save", metavar="NAME", help="also save it as a preset of this name, with the start values of --config")
    expand.add_argument("--force", action="store_true", help="with --save: replace the preset of that name")
    expand.set_defaults(run=run)
    encode = actions.add_parser(
        "encode",
        help="encode prompts before a show, so that it needs no text encoder",
        description=prompt_encode.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    prompt_encode.add_options(encode)
    encode.set_defaults(run=prompt_encode.run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Print the expanded prompt, or the given one with a reason on stderr, and return the exit code."""
    from sdv2_live.prompts.expand import expand

    if args.text == "-":
        args.text = sys.stdin.read(MAX_STDIN)
    try:
        text = expand(args.text, _writer(args))
    except ExpandError as error:
        logs.say(args.text)
        logs.say(f"sdv2-live: the prompt stays as it was: {error}", to=sys.stderr)
        return error.exit_code
    logs.say(text)
    if args.save is not None:
        config = configured(args)
        library = PresetLibrary(config.presets.folder, config.presets.dir is not None, config.names)
        params = dataclasses.replace(config.params, prompt=text)
        preset = library.save(args.save, params, f"Expanded from: {args.text[:200]}", force=args.force)
        logs.say(f"saved as preset {preset.number} '{preset.name}' in {preset.path}", to=sys.stderr)
    return 0


def _writer(args: argparse.Namespace) -> Any:
    if args.model is not None:
        from sdv2_live.prompts.expand import LocalModel

        return LocalModel(args.model, args.timeout)
    from sdv2_live.prompts.endpoint import Endpoint

    return Endpoint(args.endpoint, args.timeout, model=args.endpoint_model, insecure=args.insecure)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and 0 < seconds <= 3600):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds, above 0 and at most 3600")
    return seconds
