"""Writing a take to disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from sdv2_live.chunk import Generated
from sdv2_live.config.schema import Config
from sdv2_live.control.params import PARAMS, Params, Value, value_of
from sdv2_live.engine.spec import PromptMix
from sdv2_live.errors import TakeError, VideoError
from sdv2_live.system.files import check
from sdv2_live.takes.compare import samples_of, sha256_of
from sdv2_live.takes.format import (
    CHUNKS,
    CONFIG,
    HEADER,
    LUTS,
    ChunkLine,
    EndLine,
    FrameId,
    Header,
    PromptChange,
    Video,
    plain,
    write_yaml,
)
from sdv2_live.takes.video import VideoWriter


class TakeWriter:
    """A take's folder during the recording. Every method raises TakeError or VideoError for data that cannot be written."""

    def __init__(self, config: Config, header: Header) -> None:
        self._min_free_mb = config.takes.min_free_mb
        self._params: Params | None = None
        self._mix: PromptMix | None = None
        self._luts_folder, self._luts = config.output.luts_folder, {""}  # the tables that are kept
        self.chunks = 0
        with _named(config.takes.folder):
            config.takes.folder.mkdir(parents=True, exist_ok=True)
            self._check_space(config.takes.folder)
            self.folder = _new_folder(config.takes.folder)
        with _named(self.folder):
            write_yaml(self.folder / HEADER, header.model_dump(mode="json"))
            write_yaml(self.folder / CONFIG, plain(config))
            self._lines = (self.folder / CHUNKS).open("w", encoding="utf-8")
        self._videos = VideoWriter(self.folder, lossless=header.lossless)

    def write(self, generated: Generated) -> None:
        """Add one chunk: its frames first, so that no line refers to missing frames."""
        self._check_space(self.folder)
        self._keep_lut(generated.chunk.params.output_lut)
        placed = [self._videos.write(frame) for frame in generated.chunk.frames]
        self._write_line(self._line(generated, placed))
        self.chunks += 1

    def _keep_lut(self, name: str) -> None:
        """Copy a colour table at its first use; one that is missing was missing in the picture, too."""
        if name in self._luts:
            return
        self._luts.add(name)
        source = self._luts_folder / f"{name}.cube"
        if source.is_file():
            with _named(self.folder / LUTS):
                (self.folder / LUTS).mkdir(exist_ok=True)
                shutil.copyfile(source, self.folder / LUTS / source.name)

    def close(self, problem: str = "") -> None:
        """Finish the files. A take without any chunk is removed.

        Args:
            problem: why the take is incomplete; empty for a complete one.
        """
        self._videos.close()
        self._write_line(EndLine(end="incomplete" if problem else "complete", problem=problem, chunks=self.chunks))
        with _named(self.folder):
            self._lines.close()
            if not self.chunks:
                shutil.rmtree(self.folder)

    def abandon(self, problem: str) -> None:
        """Finish as much as possible after a failed write."""
        with suppress(TakeError, VideoError):  # as likely as not the same that was told before
            self.close(problem)
        with suppress(OSError):
            self._lines.close()

    def _line(self, generated: Generated, placed: Sequence[tuple[FrameId, Video | None]]) -> ChunkLine:
        chunk, recipe = generated.chunk, generated.recipe
        step, params = recipe.prompt, chunk.params
        changed = dict(_changes(self._params, params))
        self._params = params
        began = step.began or step.anew
        said, self._mix = began or step.mix != self._mix, step.mix
        return ChunkLine(
            chunk=chunk.number,
            values=changed,
            fired=tuple(sorted(chunk.snapshot.fired)),
            begins=recipe.begins,
            prompt=PromptChange(mix=step.mix, transition=1 if step.anew else step.chunks, anew=step.anew, reweighed=not began)
            if said
            else None,
            fade=(step.done, step.chunks) if step.done < step.chunks else None,
            swing=chunk.swing or None,
            videos=tuple(video for _, video in placed if video is not None),
            frames=tuple(place for place, _ in placed),
            pictures=len(generated.pictures),
            sha256=sha256_of(generated.pictures),
            samples=samples_of(generated.pictures),
        )

    def _write_line(self, line: ChunkLine | EndLine) -> None:
        with _named(self.folder / CHUNKS):
            self._lines.write(line.model_dump_json(exclude_none=True) + "\n")
            self._lines.flush()

    def _check_space(self, folder: Path) -> None:
        with _named(folder):
            free = shutil.disk_usage(folder).free >> 20
        if free < self._min_free_mb:
            raise TakeError(
                f"{folder}: {free} MB are free, fewer than takes.min_free_mb = {self._min_free_mb}; free some space, or "
                "record to another disk with takes.dir"
            )


def _changes(before: Params | None, now: Params) -> Iterator[tuple[str, Value]]:
    if now is before:
        return
    for name, spec in PARAMS.items():
        if spec.of_look and (before is None or value_of(before, spec) != value_of(now, spec)):
            yield name, value_of(now, spec)


def _new_folder(parent: Path) -> Path:
    """A folder named by the time. Raises OSError."""
    name = time.strftime("%Y%m%d-%H%M%S")
    for number in range(1, 1000):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        check(folder / CHUNKS)
        with suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise FileExistsError(17, "a thousand takes of this second are there already")


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TakeError(
            f"{path}: cannot be written: {error.strerror}; check its permissions and the disk's space, or choose another folder "
            "with takes.dir"
        ) from error
