"""Pictures of presets: a small JPEG beside each preset's file, of the same name; its comment names the model that painted it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sdv2_live.errors import ConfigError
from sdv2_live.system.atomic import written_whole

WIDTH = 480  # pixels
MAX_BYTES = 150_000  # of one that is shown
_START, _COMMENT = b"\xff\xd8", b"\xff\xfe"  # markers (ITU-T T.81, B.1.1.3)
_BY = b"painted by "
_LONGEST = 100  # characters of a model's name


@dataclass(frozen=True, slots=True)
class Picture:
    """A preset's picture. by: the model that painted it, empty where the file does not say."""

    data: bytes
    by: str
    signature: tuple[int, int]

    @property
    def version(self) -> str:
        """Changes with the picture."""
        return hashlib.sha256(self.data).hexdigest()[:12]


def path_of(preset: Path) -> Path:
    """The picture's path, for a preset's."""
    return preset.with_suffix(".jpg")


def write_picture(preset: Path, jpeg: bytes, by: str) -> None:
    """Write the picture of a preset, whole or not at all. Raises ConfigError."""
    comment = _BY + by[:_LONGEST].encode("utf-8")
    path = path_of(preset)
    try:
        with written_whole(path) as part:
            part.write_bytes(_START + _COMMENT + (2 + len(comment)).to_bytes(2, "big") + comment + jpeg.removeprefix(_START))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}; check presets.dir") from error


class Pictures:
    """The pictures of a folder's presets, in memory: whoever asks for one reaches no file."""

    def __init__(self) -> None:
        self._pictures: dict[str, Picture] = {}

    def get(self, stem: str) -> Picture | None:
        """The picture of the preset whose file has this name, without suffix."""
        return self._pictures.get(stem)

    def look(self, presets: Iterable[Path]) -> bool:
        """Read new and changed pictures. Returns True when any has changed."""
        before = self._pictures
        self._pictures = {path.stem: found for path in presets if (found := _read(path_of(path), before.get(path.stem)))}
        return self._pictures != before


def _read(path: Path, before: Picture | None) -> Picture | None:
    """The picture at a path; None for one that is missing, too large or no JPEG."""
    try:
        known = path.stat()
        signature = known.st_mtime_ns, known.st_size
        if before is not None and before.signature == signature:
            return before
        data = path.read_bytes() if known.st_size <= MAX_BYTES else b""
    except OSError:
        return None
    return Picture(data, _painter(data), signature) if data.startswith(_START) else None


def _painter(data: bytes) -> str:
    if data[2:4] != _COMMENT:
        return ""
    comment = data[6 : 4 + int.from_bytes(data[4:6], "big")]
    return comment.removeprefix(_BY).decode("utf-8", "replace") if comment.startswith(_BY) else ""
