"""The weight files on this machine: whole or damaged, and the record of those that were verified.

A file's SHA-256 is taken once, after its download; size, time of change and sum are then noted in the weights folder, so
that eleven gigabytes are not read again each time. `weights check` reads them all the same.
"""

from __future__ import annotations

import hashlib
import json
import logging
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from sdv2_live.errors import WeightsError
from sdv2_live.model.checkpoints.checkpoint import INDEX, files_of, is_there
from sdv2_live.model.checkpoints.foreign import foreign
from sdv2_live.system.atomic import written_whole
from sdv2_live.weights.catalog import WeightFile

log = logging.getLogger("sdv2_live.weights")

NOTES = ".verified.json"
BLOCK = 1 << 22
MAX_HEADER = 100_000_000  # bytes; the format's own limit


class State(StrEnum):
    """State of a file as far as it is known without reading it whole."""

    MISSING = "missing"
    DAMAGED = "damaged"
    PRESENT = "present, not checked"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True)
class Note:
    """A file that was read whole: size in bytes, time of change in nanoseconds, and its sum."""

    size: int
    mtime_ns: int
    sha256: str


class Folder:
    """The weights folder (model.weights_dir)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def at(self, file: WeightFile) -> Path:
        """The path of the file in this folder."""
        return self.path / file.name

    def found(self, file: WeightFile) -> Path | None:
        """The path of the file or of one that stands in for it; None when neither exists."""
        names = (file.name, *file.stand_ins)
        return next((path for path in (self.path / name for name in names) if is_there(path)), None)

    def size(self, file: WeightFile) -> int | None:
        """Bytes of the file that is there, all its shards together; else as published, None where that is not known."""
        path = self.found(file)
        return file.size if path is None else sum(part.stat().st_size for part in files_of(path))

    def state(self, file: WeightFile) -> State:
        """Missing, damaged (wrong size, cut off, or known to have the wrong sum), present, or verified."""
        path = self.found(file)
        if path is None:
            return State.MISSING
        if _foreign(path):
            return State.DAMAGED
        if path != self.at(file):  # nothing is known of it but its ends
            return State.DAMAGED if cut_off(path) else State.PRESENT
        if (file.size is not None and path.stat().st_size != file.size) or cut_off(path):
            return State.DAMAGED
        note = self._notes().get(file.name)
        if note is None or (note.size, note.mtime_ns) != _stamp(path):
            return State.PRESENT
        return State.VERIFIED if file.sha256 in (None, note.sha256) else State.DAMAGED

    def problem(self, file: WeightFile, read: Callable[[int], None] = lambda _: None) -> str | None:
        """A sentence on the fault of a file that exists, None when it has none.

        The file is read whole, `read` called with the bytes read. Without a sum to compare with, only its ends are read.
        """
        path = self.found(file)
        if path is None:
            return "is not there"
        if instead := _foreign(path):
            return instead
        ours = path == self.at(file)  # of a stand-in nothing is known
        size = path.stat().st_size
        if ours and file.size is not None and size != file.size:
            return f"has {size:,} bytes in place of {file.size:,}"
        if cut_off(path):
            return "is cut off or no weights file"
        note = self._notes().get(file.name)
        wanted = file.sha256 or (note.sha256 if note is not None else None)  # or what the server said at its download
        if wanted is None or not ours:
            return None
        found = sha256_of(path, read)
        if found != wanted:
            return f"has SHA-256 {found[:16]}..., not {wanted[:16]}..."
        self.note(file, found)
        return None

    def note(self, file: WeightFile, sha256: str) -> None:
        """Remember that the file, as it is now, has this sum. Does nothing in a folder that cannot be written."""
        notes = self._notes() | {file.name: Note(*_stamp(self.at(file)), sha256)}
        data = {name: [note.size, note.mtime_ns, note.sha256] for name, note in sorted(notes.items())}
        try:
            with written_whole(self.path / NOTES) as part:
                part.write_text(json.dumps(data, indent=1), encoding="utf-8")
        except OSError as error:
            log.debug("%s: cannot be written (%s)", self.path / NOTES, error)

    def _notes(self) -> dict[str, Note]:
        try:
            data: Any = json.loads((self.path / NOTES).read_text(encoding="utf-8"))
            return {str(name): Note(int(size), int(mtime), str(sha)) for name, (size, mtime, sha) in data.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            log.debug("%s: not readable (%s); files are checked anew", self.path / NOTES, error)
            return {}


def sha256_of(path: Path, read: Callable[[int], None] = lambda _: None) -> str:
    """The file's SHA-256, in hex. Raises WeightsError when it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
                read(len(block))
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); check the disk and the file's permissions") from error
    return digest.hexdigest()


def cut_off(path: Path) -> bool:
    """True for a .pt, .pth or .safetensors file (of an index: any shard) whose end is missing, or that cannot be opened.

    It does not read the file whole.
    """
    if path.name.endswith(INDEX):
        return any(map(cut_off, files_of(path)))
    try:
        if path.suffix in (".pt", ".pth"):
            with path.open("rb") as file:
                head = file.read(2)
            return head == b"PK" and not zipfile.is_zipfile(path)  # a zip's directory is at its end; older files are no zips
        return path.suffix == ".safetensors" and _ends_early(path)
    except (OSError, zipfile.BadZipFile):
        return True


def _ends_early(path: Path) -> bool:
    """Of a .safetensors file: 8 bytes with the header's length, the header, then the tensors (its format's README)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(size - 8, MAX_HEADER):
            return True
        try:
            header = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return True
    return not all(type(end) is int for end in ends) or size != 8 + length + max(ends, default=0)


def _foreign(path: Path) -> str:
    """As `foreign`; of an index of its shards, by their names."""
    found = ((file, said) for file in files_of(path) if (said := foreign(file)))
    return next((said if file == path else f"{file.name} {said}" for file, said in found), "")


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns
