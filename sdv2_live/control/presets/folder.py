"""The preset files of a folder, read as they change, and not while somebody is replacing them."""

from __future__ import annotations

import stat
import time
from dataclasses import dataclass, field
from pathlib import Path

from sdv2_live.control.names import ParamNames
from sdv2_live.control.presets.file import Preset, load_preset
from sdv2_live.errors import ConfigError

MAX_PRESETS = 500  # of one folder
_SETTLE_S = 0.1  # an editor replaces a file in less
_LOOKS = 5


@dataclass(frozen=True, slots=True)
class PresetFile:
    """A file as it was read; equal to another reading when nothing was written in between. `preset` is what the file held when
    it last was sound, None when it never was."""

    signature: tuple[int, ...]
    preset: Preset | None = field(default=None, compare=False)
    problems: tuple[str, ...] = field(default=(), compare=False)


Files = dict[Path, PresetFile]


class PresetFolder:
    """Reads the files of one folder, those that have changed since it last did."""

    def __init__(self, folder: Path, names: ParamNames) -> None:
        self._folder = folder
        self._names = names
        self.files: Files = {}  # in the order of their names
        self.crowded = False  # there are more than MAX_PRESETS, and only the first are read

    def changed(self) -> bool:
        """Whether a file was added, removed or edited. Raises ConfigError when the folder is gone."""
        return self._signatures() != {path: file.signature for path, file in self.files.items()}

    def read(self) -> None:
        """Take in what has changed. A file that is gone or broken is looked at again first: it may be being replaced.

        Raises ConfigError when the folder is gone; then all stays as it was.
        """
        files = self._files(self.files)
        for _ in range(_LOOKS):
            if not self._doubtful(files):
                break
            time.sleep(_SETTLE_S)
            before, files = files, self._files(files)
            if files == before:
                break
        else:  # it is written without end: what was there stays, until another look
            kept = {path: self.files.get(path) for path in self._doubtful(files)}
            files = files | {path: file for path, file in kept.items() if file}
            files = {path: files[path] for path in sorted(files) if kept.get(path, True)}
        self.files = files

    def _doubtful(self, files: Files) -> set[Path]:
        """The files that are gone, or that an edit has broken."""
        broken = {path for path, file in files.items() if file.problems and file != self.files.get(path)}
        return broken | (self.files.keys() - files.keys())

    def _files(self, known: Files) -> Files:
        """Every file as it is now; those that are as in `known` are not read again."""
        files: Files = {}
        for path, signature in self._signatures().items():
            file = known.get(path)
            files[path] = file if file and file.signature == signature else self._file(path, signature)
        return files

    def _file(self, path: Path, signature: tuple[int, ...]) -> PresetFile:
        try:
            return PresetFile(signature, load_preset(path, names=self._names))
        except ConfigError as error:
            before = self.files.get(path)
            return PresetFile(signature, before.preset if before else None, tuple(str(error).splitlines()))

    def _signatures(self) -> dict[Path, tuple[int, ...]]:
        """Each preset file, in the order of names, with what changes when it is written."""
        try:
            paths = sorted(path for path in self._folder.iterdir() if path.suffix.lower() == ".yaml")
        except OSError as error:
            why = f"not a folder of presets ({error.strerror})"
            raise ConfigError(f"{self._folder}: {why}; create it, or set presets.dir to another (or to auto)") from error
        self.crowded = len(paths) > MAX_PRESETS
        found = {path: _signature(path) for path in paths[:MAX_PRESETS]}
        return {path: signature for path, signature in found.items() if signature}


def _signature(path: Path) -> tuple[int, ...]:
    """Empty for what is no file, or is gone in this moment."""
    try:
        known = path.stat()
    except OSError:
        return ()
    return (known.st_mtime_ns, known.st_size, known.st_ino) if stat.S_ISREG(known.st_mode) else ()
