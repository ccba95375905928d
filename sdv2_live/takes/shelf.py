"""The takes of a folder: name, length and size, read from the beginning and the end of each, as a take may hold hours."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdv2_live.errors import TakeError
from sdv2_live.takes.format import CHUNKS, HEADER
from sdv2_live.wording import nearest, shown

MAX_TAKES = 500  # the newest, by name
_EDGE = 1 << 18  # bytes of a take's lines that are read at either end; a line has a few thousand, or some prompts
VIDEO = ".mp4"  # of a take that was painted again, beside its folder


@dataclass(frozen=True, slots=True)
class Listed:
    """One take.

    Attributes:
        seconds: from the first frame's capture to the last one's.
        bytes: of all its files.
        complete: it was ended, and not cut short.
        video: it was painted again into a file beside it.
    """

    name: str
    seconds: float
    bytes: int
    chunks: int
    complete: bool
    video: bool


class Shelf:
    """The takes in `folder`, the newest first. Names from the network are compared with theirs, never made into paths.

    Attributes:
        takes: as of the last `look`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.takes: tuple[Listed, ...] = ()
        self._read: dict[str, tuple[tuple[int, int], Listed]] = {}

    def look(self) -> bool:
        """List the takes again; returns True when they have changed. A folder that cannot be read holds none."""
        before = self.takes
        try:
            folders = sorted((path for path in self.folder.iterdir() if (path / HEADER).is_file()), reverse=True)
        except OSError:
            folders = []
        self._read = {path.name: read for path in folders[:MAX_TAKES] if (read := self._of(path))}
        self.takes = tuple(take for _, take in self._read.values())
        return self.takes != before

    def find(self, name: object) -> Path:
        """The folder of the listed take of this name.

        Raises:
            TakeError: there is none; names the nearest.
        """
        names = [take.name for take in self.takes]
        if name not in names:
            hint = nearest(str(name), names) or f"; the newest are {', '.join(names[:5]) or 'none'}"
            raise TakeError(f"there is no take {shown(name)}{hint}")
        return self.folder / str(name)

    def _of(self, path: Path) -> tuple[tuple[int, int], Listed] | None:
        """A take with the signature of its lines; None for one that cannot be read."""
        try:
            known = (path / CHUNKS).stat()
            signature = known.st_mtime_ns, known.st_size
            video = path.with_name(path.name + VIDEO).is_file()
            before = self._read.get(path.name)
            if before and before[0] == signature and before[1].video == video:
                return before
            size = sum(file.stat().st_size for file in path.iterdir())
            chunks, seconds, complete = _length(path / CHUNKS)
        except (OSError, ValueError, LookupError, TypeError):
            return None
        return signature, Listed(path.name, seconds, size, chunks, complete, video)


def _length(path: Path) -> tuple[int, float, bool]:
    """Chunks, seconds, and whether it is complete. Raises ValueError, LookupError or TypeError where it is damaged."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        head = file.read(_EDGE)
        file.seek(max(size - _EDGE, 0))
        lines = file.read(_EDGE).rpartition(b"\n")[0].split(b"\n")
    first = json.loads(head.partition(b"\n")[0])
    end = json.loads(lines[-1])
    complete = end.get("end") == "complete"
    last: dict[str, Any] = json.loads(lines[-2]) if "end" in end else end
    chunks = end["chunks"] if "end" in end else last["chunk"] - first["chunk"] + 1
    seconds = (last["frames"][-1]["captured_ns"] - first["frames"][0]["captured_ns"]) / 1e9
    return int(chunks), round(float(seconds), 3), complete
