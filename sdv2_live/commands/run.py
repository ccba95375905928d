"""`sdv2-live run`: the show."""

from __future__ import annotations

import argparse
import json
import logging
import math
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sdv2_live import logs
from sdv2_live.commands.options import add_config_options, add_model_options, configured, seconds, sized, timeline_of
from sdv2_live.commands.stopping import Stop
from sdv2_live.commands.ways import open_page, osc_lines, page_lines
from sdv2_live.config.schema_files import StateConfig
from sdv2_live.errors import ConfigError
from sdv2_live.log_writer import Relayed
from sdv2_live.show.journal import LiveState, journal_path, previous, read_journal
from sdv2_live.system.clock import fine_timers, monotonic
from sdv2_live.system.descriptors import allow_descriptors
from sdv2_live.system.power import awake
from sdv2_live.system.process import come_first

if TYPE_CHECKING:
    from sdv2_live.config.schema import Config
    from sdv2_live.show.status import Status

log = logging.getLogger("sdv2_live.run")

DESCRIPTORS = 4096  # that a show may use; many systems allow 1024 until a program asks for more
ENDS_S = 1.8  # after a signal, whatever waits: two seconds are promised
EVERY_S = 10.0  # between status lines where the output is no terminal


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "run", help="restyle live video until stopped", description="Restyle live video until stopped."
    )
    add_config_options(parser)
    add_model_options(parser)
    parser.add_argument("--vae", metavar="NAME", help="autoencoder: wan, light, taehv or lighttae (default: model.vae)")
    parser.add_argument("--input", metavar="SOURCE", help="ndi:NAME, ndi: (first found), camera:NAME, screen:, file:PATH or test")
    parser.add_argument(
        "--output",
        metavar="SINK",
        action="append",
        help="ndi:NAME, window:2, camera:NAME, file:PATH or none; several may be given, the first is the clock",
    )
    parser.add_argument("--timeline", type=Path, metavar="FILE", help="play a timeline (.yaml, or Scope's .json) from its start")
    parser.add_argument(
        "--resume",
        nargs="?",
        type=Path,
        const=Path(),
        metavar="FILE",
        help="go on with the parameters of the last show of this output name (or of a journal FILE)",
    )
    parser.add_argument("--seconds", type=seconds, metavar="N", help="stop after N seconds (default: on Ctrl-C)")
    parser.add_argument("--open", action="store_true", help="open the page in this machine's browser")
    parser.add_argument("--quiet", action="store_true", help="no status line while it runs")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the show until Ctrl-C, SIGTERM, the time limit or the end of its source."""
    from sdv2_live.show.show import Show  # here: torch takes seconds to import, and --help shall not

    outputs = json.dumps(args.output) if args.output and len(args.output) > 1 else args.output and args.output[0]
    config = configured(args, input__source=args.input, output__sink=outputs, model__vae=args.vae)
    logging.getLogger("sdv2_live").setLevel(config.log.level.upper())
    stop = Stop.on_signals(ENDS_S)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the show outlives its terminal, and a connection that breaks
    allow_descriptors(DESCRIPTORS)
    come_first()
    _log_to_file(config)
    with Relayed() as relayed, fine_timers(), awake():
        report = _Reporter(relayed.say, quiet=args.quiet)
        timeline = timeline_of(args.timeline, config) if args.timeline is not None else None
        config = sized(config, timeline)
        with Show(config, args.preset, timeline, _resumed(args.resume, config)) as show:
            if stop.is_set():
                return 0
            osc = f"osc://{config.osc.host}:{show.control.osc.port}/sdv2" if show.control.osc else "off"
            relayed.say(f"input {show.input.name}  output {show.playout.sink.name}  control {osc}")
            for line in (*osc_lines(show.control.osc), *page_lines(show.page)):
                relayed.say(line)
            opened = not args.open

            def reported(status: Status) -> None:
                nonlocal opened
                if not opened:  # not before the show runs
                    opened = True
                    open_page(show.page)
                report(status)

            show.run(stop.wait, reported, args.seconds)
            report.end(show.status())
    return 0


def _log_to_file(config: Config) -> None:
    """Begin the log file. A default file that cannot be written does not keep the show from starting."""
    if config.log.file == "off":
        return
    asked = config.log.file != "auto"
    folder = config.state.folder or StateConfig().folder
    path = Path(config.log.file).expanduser() if asked else journal_path(folder or Path(), config.output.main).with_suffix(".log")
    try:
        logs.to_file(path, config.log.max_mb, config.log.keep)
    except ConfigError as error:
        if asked:
            raise
        log.warning("%s", error)


def _resumed(asked: Path | None, config: Config) -> LiveState | None:
    """The state that an earlier show left, if asked for. Without it a show still starts: nobody waits for a file on stage."""
    folder = config.state.folder
    if asked is None:
        return None
    try:
        if asked == Path() and folder is None:
            raise ConfigError("state.dir is off, so no state was kept; set it, or give --resume a FILE")
        state = _left(asked, folder or Path(), config)
    except ConfigError as error:
        log.warning("%s: the show starts with its start values", error)
        return None
    log.info("resumed with %d parameters", len(state.values))
    return state.without(config.asked)


def _left(asked: Path, folder: Path, config: Config) -> LiveState:
    """The journal asked for, or that of the last show; if that is damaged, the one before it. Raises ConfigError."""
    if asked != Path():
        return read_journal(asked, config.names)
    path = journal_path(folder, config.output.main)
    try:
        return read_journal(path, config.names)
    except ConfigError as error:
        if not previous(path).exists():
            raise
        log.warning("%s; %s is taken", error, previous(path).name)
        return read_journal(previous(path), config.names)


class _Reporter:
    """The status: rewritten in place on a terminal, printed now and then elsewhere. quiet: at the end only."""

    def __init__(self, say: Callable[..., None], *, quiet: bool = False, clock: Callable[[], float] = monotonic) -> None:
        self._say, self._terminal, self._quiet, self._clock = say, sys.stdout.isatty(), quiet, clock
        self._said_at = -math.inf

    def __call__(self, status: Status) -> None:
        if self._quiet:
            return
        if self._terminal:
            self._say(f"{logs.CLEAR_LINE}{self._fitting(logs.harmless(status.line()))}", end="")
        elif self._clock() - self._said_at >= EVERY_S:
            self._said_at = self._clock()
            self._say(status.line())

    def end(self, status: Status) -> None:
        self._say(f"{logs.CLEAR_LINE}{status.line()}" if self._terminal else status.line())

    def _fitting(self, line: str) -> str:
        """One row of the terminal: a longer line could not be overwritten, and the terminal would fill with its rows."""
        width = shutil.get_terminal_size().columns - 1
        return line if len(line) <= width else line[: max(width - 1, 0)] + "\N{HORIZONTAL ELLIPSIS}"
