"""Destinations of log records: the terminal, as lines for people, and a rotated file, as JSON with one object a line.

Names and texts from the network end up in messages: control characters are escaped, so that no source, prompt or sender can
forge a line or drive the terminal. Tokens and keys of the environment never reach a log.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, TextIO

from sdv2_live.errors import ConfigError
from sdv2_live.system.console import GONE
from sdv2_live.system.private import private_folder
from sdv2_live.wording import escaped

log = logging.getLogger("sdv2_live.logs")

SECRET_NAMES = ("TOKEN", "SECRET", "PASSWORD", "API_KEY")  # environment variables whose names end so hold secrets
MIN_SECRET = 8  # characters; hiding a shorter value would hide ordinary words
TROUBLE, MENDED = "trouble", "mended"  # extra fields of a record: the name of a trouble that begins, or is over
CLEAR_LINE = "\r\033[K"


def secrets() -> tuple[str, ...]:
    """The values that must not be shown, longest first."""
    found = {value for name, value in os.environ.items() if name.upper().endswith(SECRET_NAMES) and len(value) >= MIN_SECRET}
    return tuple(sorted(found, key=len, reverse=True))


class Redactor(logging.Filter):
    """Makes a record's text harmless: secrets hidden, control characters escaped. Never drops a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace the record's message by its harmless form."""
        record.msg, record.args = harmless(record.getMessage()), ()
        return True


def harmless(text: str) -> str:
    """`text` without secrets, in one printable line."""
    for secret in secrets():
        text = text.replace(secret, "***")
    return escaped(text)


class Lines(logging.Formatter):
    """One line a record, tracebacks below it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")

    def formatException(self, ei: object) -> str:  # noqa: N802 (logging's name)
        """The traceback, each of its lines harmless: an exception's text may come from the network too."""
        return "\n".join(_trace(ei))


class JsonLines(logging.Formatter):
    """One JSON object a record: time (UTC), level, logger, message, thread and, if there is one, the traceback's lines."""

    def format(self, record: logging.LogRecord) -> str:
        """The object as one line."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "thread": record.threadName,
        }
        if record.exc_info:
            entry["traceback"] = _trace(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def _trace(exc_info: object) -> list[str]:
    lines: Iterable[str] = "".join(traceback.format_exception(*exc_info)).splitlines()  # type: ignore[misc]  # as logging has it
    return [harmless(line) for line in lines]


class Console(logging.StreamHandler[TextIO]):
    """The terminal. A status line that is being rewritten there gives way to the record."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(Lines())
        self.addFilter(Redactor())

    def format(self, record: logging.LogRecord) -> str:
        """The line, over a status line if one may stand there."""
        return (CLEAR_LINE if self.stream.isatty() and sys.stdout.isatty() else "") + super().format(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        """Lose a record that cannot be written, and nothing else; errors of our own are reported by logging."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif error.errno in GONE:
            _let_go(self.stream)


class LogFile(RotatingFileHandler):
    """A file of records. A failure to write is reported once on the terminal; the show goes on."""

    _failed = False

    def _open(self) -> Any:
        """Open for the owner alone, if it is new: prompts and names are in it."""
        opener = lambda path, flags: os.open(path, flags, 0o600)  # noqa: E731
        return open(self.baseFilename, self.mode, encoding=self.encoding, errors=self.errors, opener=opener)

    def doRollover(self) -> None:  # noqa: N802 (logging's name)
        """Begin a new file. Windows does not rename a file that another program has open: until then this one grows on."""
        if self.stream:
            self.stream.close()
        try:
            os.rename(self.baseFilename, self.baseFilename)  # before the older files move, of which the oldest goes
        except OSError:
            self.stream = self._open()
        else:
            super().doRollover()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        """Report the failure once: a full disk must not fill the terminal too."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._failed:
            self._failed = True
            log.error("log.file: %s cannot be written: %s; free some space, or choose another", self.baseFilename, error.strerror)


def say(what: object, end: str = "\n", *, to: TextIO | None = None) -> None:
    """Print at once, to standard output by default, if possible.

    A terminal that was closed or a disk that is full is no reason to stop a show. All printing of texts from elsewhere comes
    through here: nothing is left in them that a terminal would act on, except line ends and tabs. A leading CLEAR_LINE stays.
    """
    stream = to or sys.stdout
    whole = str(what)
    begin = CLEAR_LINE if whole.startswith(CLEAR_LINE) else ""
    text = "".join(part if part in "\n\t" else harmless(part) for part in re.split("([\n\t])", whole.removeprefix(begin)))
    try:
        print(f"{begin}{text}", end=end, file=stream, flush=True)
    except OSError as error:
        if error.errno in GONE:
            _let_go(stream)


def _let_go(stream: TextIO) -> None:
    """Discard everything written to a standard stream from now on: nobody is left to read it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def open_missing() -> None:
    """Open standard streams that the process was started without; they discard what is written.

    Their descriptors are then given to no file of the show: output of a library would be written into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, "w" if number else "r"))


def to_console() -> None:
    """Show the project's records from INFO, and others' from WARNING, on the terminal."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.addHandler(Console())
    root.setLevel(logging.WARNING)
    logging.getLogger("sdv2_live").setLevel(logging.INFO)


def to_file(path: Path, max_mb: float, keep: int) -> logging.Handler:
    """Write records also to a file of at most `max_mb` megabytes, and keep `keep` older ones beside it.

    Returns:
        The handler, for removal at the end.

    Raises:
        ConfigError: the file cannot be written.
    """
    try:
        private_folder(path.parent)
        handler = LogFile(path, maxBytes=int(max_mb * 1e6), backupCount=keep, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"log.file: {path} cannot be written: {error.strerror}; choose another, or off") from error
    handler.setFormatter(JsonLines())
    handler.addFilter(Redactor())
    logging.getLogger().addHandler(handler)
    return handler
