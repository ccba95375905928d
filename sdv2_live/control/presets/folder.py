"""The preset files of a folder. Changed files are read again, but not while a program is replacing them."""

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
    """One reading of a file; equal to another reading when the file was not written in between.

    Attributes:
        signature: changes when the file is written.
        preset: the last valid content of the file, None before the first.
        problems: a sentence on each mistake in the file.
    """

    signature: tuple[int, ...]
    preset: Preset | None = field(default=None, compare=False)
    problems: tuple[str, ...] = field(default=(), compare=False)


Files = dict[Path, PresetFile]


class PresetFolder:
    """Reads the files of one folder; each again only after it has changed."""

    def __init__(self, folder: Path, names: ParamNames) -> None:
        self._folder = folder
        self._names = names
        self.files: Files = {}  # in the order of their names
        self.crowded = False  # there are more than MAX_PRESETS, and only the first are read

    def changed(self) -> bool:
        """True when a file was added, removed or edited. Raises ConfigError when the folder is gone."""
        return self._signatures() != {path: file.signature for path, file in self.files.items()}

    def read(self) -> None:
        """Read changed files. A file that is gone or broken is checked again first: a program may be replacing it.

        Raises:
            ConfigError: the folder is gone; nothing is changed then.
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
        """The files that are gone or have become broken."""
        broken = {path for path, file in files.items() if file.problems and file != self.files.get(path)}
        return broken | (self.files.keys() - files.keys())

    def _files(self, known: Files) -> Files:
        """The current files; those with the signature in `known` are not read again."""
        files: Files = {}
        for path, signature in self._signatures().items():
            file = known.get(path)
            files[path] = file if file and file.signature == signature else self._file(path, signature)
        return files

    def _file(self, path: Path, signature: tuple[int, ...]) -> PresetFile:
        try:
            preset = load_preset(path, names=self._names)
            return PresetFile(signature, preset, preset.notes)
        except ConfigError as error:
            before = self.files.get(path)
            return PresetFile(signature, before.preset if before else None, tuple(str(error).splitlines()))

    def _signatures(self) -> dict[Path, tuple[int, ...]]:
        """Each preset file, in the order of names, with a signature that changes when it is written."""
        try:
            paths = sorted(path for path in self._folder.iterdir() if path.suffix.lower() == ".yaml")
        except OSError as error:
            why = f"not a folder of presets ({error.strerror})"
            raise ConfigError(f"{self._folder}: {why}; create it, or set presets.dir to another (or to auto)") from error
        self.crowded = len(paths) > MAX_PRESETS
        found = {path: _signature(path) for path in paths[:MAX_PRESETS]}
        return {path: signature for path, signature in found.items() if signature}


def _signature(path: Path) -> tuple[int, ...]:
    """Time, size and inode of a file; empty for a missing one and for anything that is no file."""
    try:
        known = path.stat()
    except OSError:
        return ()
    return (known.st_mtime_ns, known.st_size, known.st_ino) if stat.S_ISREG(known.st_mode) else ()
