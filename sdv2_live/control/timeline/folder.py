"""The timelines of a folder, by the names of its files.

Requests from the network choose only among the files that are listed: a requested name is compared, never made into a path.
"""

from __future__ import annotations

import re
import time
import unicodedata
from itertools import count
from pathlib import Path

from sdv2_live.control.timeline.write import SUFFIXES
from sdv2_live.errors import ConfigError, ParamError
from sdv2_live.system.files import portable
from sdv2_live.wording import nearest, shown

MAX_FILES = 500  # of one folder
_STEM = 60  # characters of a file's name


class TimelineFolder:
    """Lists the timelines of `folder`, which need not exist yet.

    Attributes:
        files: names in order, as of the last `look`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: tuple[str, ...] = ()
        self.look()

    def look(self) -> bool:
        """List the files again; returns True when they have changed. A folder that cannot be read holds none."""
        try:
            found = sorted(path.name for path in self.folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
        except OSError:
            found = []
        before, self.files = self.files, tuple(found[:MAX_FILES])
        return self.files != before

    def find(self, name: object) -> Path:
        """The listed file of this name, with its suffix or without.

        Raises:
            ParamError: there is none; names the nearest.
        """
        for known in self.files:
            if known == name:
                return self.folder / known
        for known in self.files:
            if Path(known).stem == name:
                return self.folder / known
        stems = [Path(known).stem for known in self.files]
        hint = nearest(str(name), [*self.files, *stems]) or f"; those in {self.folder} are {', '.join(self.files[:20]) or 'none'}"
        raise ParamError(f"there is no timeline {shown(name)}{hint}")

    def new(self, name: object) -> Path:
        """The path for a new timeline: letters and digits of `name`, with its suffix if that is one of a timeline, else .yaml.

        Raises:
            ParamError: it is no name, or there is such a file.
        """
        text = name.strip() if isinstance(name, str) else ""
        stem, dot, suffix = text.rpartition(".")
        if not dot or f".{suffix.lower()}" not in SUFFIXES:
            stem, suffix = text, "yaml"
        letters = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
        plain = re.sub(r"[^A-Za-z0-9_]+", "-", letters).strip("-")[:_STEM].strip("-")
        if not plain or "/" in text or "\\" in text:
            raise ParamError(f"a timeline cannot be named {shown(name)}; give letters and digits, as opening or opening.json")
        path = self.folder / f"{portable(plain)}.{suffix.lower()}"
        if path.name.lower() in (known.lower() for known in self.files):
            raise ParamError(f"there is a timeline '{path.name}' already; choose another name")
        return path

    def dated(self) -> str:
        """A name for a new timeline: the present time."""
        stem = time.strftime("%Y%m%d-%H%M%S")
        names = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
        return next(name for name in names if f"{name}.yaml" not in self.files)

    def make(self) -> None:
        """Make the folder if it is not there. Raises ConfigError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{self.folder}: cannot be made: {error.strerror}; set timeline.dir to another folder") from error
