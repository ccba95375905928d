"""`sdv2-live weights`: the checkpoints of the large models.

`list` shows the models, what each needs and what is there. `download 1.3b` fetches what is missing, checks it, and goes on where
it was cut. `check` reads what is there whole: sizes, SHA-256 sums, and that every key and shape fits its model.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from sdv2_live import logs
from sdv2_live.commands.options import add_config_options, configured
from sdv2_live.commands.table import add_json_option
from sdv2_live.commands.weights_list import GB, show_files, show_profiles
from sdv2_live.config.measures import SMALL_VAE
from sdv2_live.config.profiles import find_profile, known_profiles
from sdv2_live.errors import WeightsError
from sdv2_live.model.profiles import Profile


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the `weights` command to an argparse subparser group; its `run` is set as the default `run`."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "weights", help="list, download and check model weights", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="the files that each profile needs, and which are there")
    add_json_option(listing)
    listing.add_argument("--profiles", action="store_true", help="the models alone, not their files")
    fetch = actions.add_parser("download", help="fetch the files of a profile that are missing")
    fetch.add_argument("profile", metavar="PROFILE", help="a model, such as 1.3b: see list")
    fetch.add_argument("--vae", metavar="KIND", help="autoencoder: wan, light, taehv, lighttae (default: model.vae)")
    fetch.add_argument("--text", metavar="KIND", default="bf16", help="text encoder: bf16, or fp8: smaller (default: bf16)")
    fetch.add_argument("--accept-licence", action="store_true", help="say yes to a licence that allows no paid shows")
    check = actions.add_parser("check", help="read the files that are there whole; exit code 4 when one is damaged")
    for action in (listing, fetch, check):
        add_config_options(action)
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Carry out the parsed command and return the exit code. Raises Sdv2Error for the top to print."""
    # Set before huggingface_hub is loaded: with its chunk protocol a cut transfer could not go on at the byte where it stopped.
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
    return {"list": _list, "download": _download, "check": _check}[args.action](args)


def _list(args: argparse.Namespace) -> int:
    config = configured(args)
    profiles, problems = known_profiles(config.model.profiles_dir)
    if args.profiles or not args.json:
        show_profiles(profiles.values(), as_json=args.json)
    if not args.profiles:
        show_files(config, profiles.values(), as_json=args.json)
    for problem in problems:
        logs.say(problem, to=sys.stderr)
    return 0


def _download(args: argparse.Namespace) -> int:
    from sdv2_live.weights.catalog import TEXTS, VAES, needed
    from sdv2_live.weights.download import Downloader
    from sdv2_live.weights.local import Folder

    config = configured(args)
    profile = find_profile(args.profile, config.model.profiles_dir)
    vae = args.vae or config.model.vae
    for option, value, allowed in (("--vae", vae, ("auto", *VAES)), ("--text", args.text, TEXTS)):
        if value not in allowed:
            raise WeightsError(f"{option} cannot be {value!r}; give one of {', '.join(allowed)}")
    files = needed(profile, vae, args.text)
    if vae == "auto":  # on a slower card auto takes this one; beside the others' gigabytes it is nothing
        files = tuple(dict.fromkeys((*files, *needed(profile, SMALL_VAE, args.text))))
    folder = Folder(config.model.weights_dir)
    if any(file.own and folder.found(file) is None for file in files):
        _accept(profile, given=args.accept_licence)
    with _Bar() as bar:
        fetched = Downloader(folder, config.weights, bar).download(files)
    total = sum(folder.size(file) or 0 for file in files)
    what = f"fetched {len(fetched)} of {len(files)} files" if fetched else f"all {len(files)} files were there already"
    logs.say(f"{folder.path}: {what}, {total / GB:.2f} GB; start with: sdv2-live run --model {args.profile}")
    return 0


def _accept(profile: Profile, *, given: bool) -> None:
    """Say under what licence the weights are, and ask where they are not for paid shows. Raises WeightsError without a yes."""
    logs.say(f"{profile.name}: weights under {profile.licence}", to=sys.stderr)
    if profile.licence.commercial or given:
        return
    if sys.stdin.isatty() and input("Accept this licence? yes or no: ").strip().lower() in ("y", "yes"):
        return
    raise WeightsError(f"{profile.name}: nothing is fetched without a yes to its licence; say it with --accept-licence")


def _check(args: argparse.Namespace) -> int:
    from sdv2_live.weights.catalog import all_files
    from sdv2_live.weights.fit import check_fit
    from sdv2_live.weights.local import Folder

    config = configured(args)
    folder = Folder(config.model.weights_dir)
    profiles, _ = known_profiles(config.model.profiles_dir)
    files = all_files(profiles.values())
    present = {file: path for file in files if (path := folder.found(file)) is not None}
    problems = 0
    with _Bar() as bar:
        for file, path in present.items():
            bar.begin("checking", file)
            problem = folder.problem(file, bar.more)
            try:
                if problem is None:
                    check_fit(file, path, files[file])
            except WeightsError as error:
                problem = str(error)
            problems += problem is not None
            known = folder.state(file)
            bar.print(f"{path.relative_to(folder.path).as_posix()}: {f'DAMAGED: {problem}' if problem else known}")
    if not present:
        logs.say(f"{folder.path}: none of the known files is there; fetch them with: sdv2-live weights download 1.3b")
    if problems:
        logs.say(
            f"sdv2-live: {problems} of {len(present)} files cannot be used; sdv2-live weights download fetches them again",
            to=sys.stderr,
        )
    return WeightsError.exit_code if problems else 0


class _Bar:
    """Progress with speed and time left, one line a file; a Downloader reports to it."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
            console=Console(stderr=True),
        )  # fmt: skip
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._now: TaskID | None = None

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, what: str, file: Any, done: int, total: int | None) -> None:
        key = (what, file.name)
        if key not in self._tasks:
            # `completed` from the start: what lay there before does not count as speed
            self._tasks[key] = self._progress.add_task(f"{what} {escape(file.name)}", total=total, completed=done)
        self._progress.update(self._tasks[key], completed=done)

    def begin(self, what: str, file: Any) -> None:
        """Begin a line of its own for the bytes that `more` counts."""
        self._now = self._progress.add_task(f"{what} {escape(file.name)}", total=file.size)

    def more(self, count: int) -> None:
        """Add the bytes read since the last call."""
        assert self._now is not None
        self._progress.advance(self._now, count)

    def print(self, text: str) -> None:
        """Print a line that stays, on stdout."""
        self._progress.stop()
        logs.say(text)
        self._progress.start()
