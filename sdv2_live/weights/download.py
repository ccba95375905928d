"""Download of missing files: first checks their space on the disk, then fetches and verifies one after the other."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from sdv2_live.config.schema_files import WeightsConfig
from sdv2_live.errors import WeightsError
from sdv2_live.system.files import replace
from sdv2_live.weights.catalog import Origin, WeightFile
from sdv2_live.weights.local import BLOCK, Folder, State, cut_off, sha256_of
from sdv2_live.weights.remote import Offer, Remote, UnavailableError

log = logging.getLogger("sdv2_live.weights")

PARTS = ".partial"  # below the weights folder: files on their way, kept when a transfer is cut
GB = 1e9

Report = Callable[[str, WeightFile, int, int | None], None]  # what is done, to which file, bytes done, bytes in all


class Downloader:
    """Downloads files into a weights folder. `report` is told of every step, for a progress line."""

    def __init__(self, folder: Folder, settings: WeightsConfig, report: Report = lambda *_: None) -> None:
        self._folder = folder
        self._offline = settings.offline_dir
        self._remote = Remote(settings)
        self._report = report

    def download(self, files: Iterable[WeightFile]) -> list[WeightFile]:
        """Fetch the files that are missing or damaged, and return them; for the others no server is asked.

        Raises:
            WeightsError: no space, no server that gives a file, or a file that is not the published one.
        """
        missing = [file for file in files if not self._whole(file)]
        offers = {file: self._first_offer(file) for file in missing if self._copy_of(file) is None}
        self._check_space({file: offers[file].size if file in offers else self._copy_size(file) for file in missing})
        for file in missing:
            try:
                (self._folder.path / PARTS).mkdir(parents=True, exist_ok=True)
                self._folder.at(file).parent.mkdir(parents=True, exist_ok=True)
                self._bring(file, offers.get(file))
            except WeightsError:
                raise
            except OSError as error:
                raise WeightsError(
                    f"{self._folder.at(file)}: cannot be written ({error.strerror or error}); make room or set "
                    "model.weights_dir to another disk; what has arrived is kept"
                ) from error
        with contextlib.suppress(OSError):  # it holds another file on its way, or was never made
            (self._folder.path / PARTS).rmdir()
        return missing

    def _whole(self, file: WeightFile) -> bool:
        state = self._folder.state(file)
        if state is State.PRESENT:
            problem = self._folder.problem(file, self._counter("checking", file))
            state = State.VERIFIED if problem is None else State.DAMAGED
        if state is State.DAMAGED:
            log.warning("%s: damaged, it is fetched again", self._folder.at(file))
        return state in (State.VERIFIED, State.PRESENT)

    def _copy_of(self, file: WeightFile) -> Path | None:
        path = self._offline / file.name if self._offline is not None else None
        return path if path is not None and path.is_file() else None

    def _copy_size(self, file: WeightFile) -> int | None:
        copy = self._copy_of(file)
        return copy.stat().st_size if copy else None

    def _first_offer(self, file: WeightFile) -> Offer:
        failures: list[tuple[Origin, UnavailableError]] = []
        for origin in self._remote.origins(file):
            try:
                return self._remote.ask(file, origin)
            except UnavailableError as error:
                failures.append((origin, error))
        raise _none_gives(file, failures)

    def _check_space(self, sizes: dict[WeightFile, int | None]) -> None:
        """Raise WeightsError when the disk cannot hold the files that are still to come."""
        folder = self._folder.path / PARTS
        parts = sum(part.stat().st_size for file in sizes for part in folder.glob(f"{_flat(file.name)}.*.part"))
        total = sum(size or 0 for size in sizes.values()) - parts
        home = next(p for p in (self._folder.path, *self._folder.path.parents) if p.exists())
        free = shutil.disk_usage(home).free
        if total > free:
            raise WeightsError(
                f"{self._folder.path}: {total / GB:.2f} GB are to be fetched and {free / GB:.2f} GB are free; make "
                f"{(total - free) / GB:.2f} GB of room or set model.weights_dir to another disk"
            )

    def _bring(self, file: WeightFile, offer: Offer | None) -> None:
        """One file, from the offline folder or from the first server that gives it whole."""
        if offer is None:
            self._copy(file)
            return
        failures: list[tuple[Origin, UnavailableError]] = []
        reached = False
        for origin in self._remote.origins(file):
            reached = reached or origin == offer.origin  # those before it were asked already
            if not reached:
                continue
            try:
                self._transfer(file, offer if origin == offer.origin else self._remote.ask(file, origin))
            except UnavailableError as error:
                failures.append((origin, error))
            else:
                return
        raise _none_gives(file, failures)

    def _transfer(self, file: WeightFile, offer: Offer) -> None:
        part = self._part(file, offer.version)
        if offer.size is not None and part.exists() and part.stat().st_size > offer.size:
            part.unlink()
        log.info("%s from %s", file.name, offer.origin)
        self._remote.fetch(offer, part, lambda done: self._report("fetching", file, done, offer.size))
        self._accept(file, part, offer.size, offer.sha256)

    def _copy(self, file: WeightFile) -> None:
        copy = self._copy_of(file)
        if copy is None:
            raise WeightsError(f"{self._offline}: {file.name} was there and is gone; connect the disk and try again")
        size = copy.stat().st_size
        part = self._part(file, f"copy {size}")
        count = self._counter("copying", file)
        with copy.open("rb") as source, part.open("wb") as target:
            _pour(source, target, count)
        try:
            self._accept(file, part, file.size, file.sha256)
        except UnavailableError as error:
            raise WeightsError(f"{copy}: {error.reason}; copy it anew, or set weights.offline_dir to auto") from error

    def _accept(self, file: WeightFile, part: Path, size: int | None, sha256: str | None) -> None:
        """Put a complete part in its place, or remove it and raise UnavailableError."""
        found_size = part.stat().st_size
        if size is not None and found_size != size:
            part.unlink()
            raise UnavailableError(f"gave {found_size:,} bytes in place of {size:,}", "try again, or use another mirror")
        found = sha256_of(part, self._counter("checking", file))
        if sha256 is not None and found != sha256:
            part.unlink()
            raise UnavailableError(
                f"gave a file with SHA-256 {found[:16]}..., not {sha256[:16]}...", "it was removed; use another mirror"
            )
        goal = self._folder.at(file)
        part.rename(part := part.with_name(part.name + goal.suffix))  # cut_off reads the suffix
        if cut_off(part):
            part.unlink()
            raise UnavailableError("gave a file that is no whole weights file", "it was removed; use another mirror")
        replace(part, goal)
        self._folder.note(file, found)
        for old in (self._folder.path / PARTS).glob(f"{_flat(file.name)}.*"):
            old.unlink()

    def _part(self, file: WeightFile, version: str) -> Path:
        key = hashlib.sha256(version.encode()).hexdigest()[:16]
        return self._folder.path / PARTS / f"{_flat(file.name)}.{key}.part"

    def _counter(self, what: str, file: WeightFile) -> Callable[[int], None]:
        done = 0

        def count(read: int) -> None:
            nonlocal done
            done += read
            self._report(what, file, done, file.size)

        return count


def _pour(source: BinaryIO, target: BinaryIO, count: Callable[[int], None]) -> None:
    while block := source.read(BLOCK):
        target.write(block)
        count(len(block))


def _flat(name: str) -> str:
    return name.replace("/", "__")


def _none_gives(file: WeightFile, failures: list[tuple[Origin, UnavailableError]]) -> WeightsError:
    if not failures:
        return WeightsError(f"{file.name}: its profile names no place to fetch it from; put it into model.weights_dir yourself")
    reasons = ", ".join(dict.fromkeys(f"{origin} {error.reason}" for origin, error in failures))
    remedies = "; ".join(dict.fromkeys(error.remedy for _, error in failures))
    return WeightsError(f"{file.name} cannot be fetched: {reasons}. Remedy: {remedies}")
