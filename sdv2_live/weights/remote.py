"""Requests to servers of a file: the Hub, a mirror of it, or a plain address. Errors say why a server does not give it.

Files are read by plain HTTP with ranges, not by the Hub's chunk protocol (xet): a transfer that was cut then goes on at the
byte where it stopped, and any web server can be a mirror.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from huggingface_hub import get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import are_progress_bars_disabled, build_hf_headers, disable_progress_bars, enable_progress_bars

from sdv2_live.config.schema_files import WeightsConfig
from sdv2_live.errors import WeightsError
from sdv2_live.weights.catalog import Hub, Origin, WeightFile

# The base of all errors of the HTTP client that huggingface_hub uses, whichever that is, and of the system's.
NETWORK_ERRORS: tuple[type[BaseException], ...] = (HfHubHTTPError.__bases__[0], OSError)
HUB = "https://huggingface.co/"  # whom the user's token is for; sent on from there, the HTTP client leaves it out
ATTEMPTS = 3  # tries in a row that bring no byte before a server is given up

_CHECK_NETWORK = (
    "check the network; behind a proxy set HTTPS_PROXY; a mirror is set with weights.endpoint, files on a disk with "
    "weights.offline_dir; what has arrived is kept, and the same command goes on from there"
)


class UnavailableError(WeightsError):
    """One origin does not give the file. reason: the cause, after the origin's name; remedy: advice."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason, self.remedy = reason, remedy


@dataclass(frozen=True, slots=True)
class Offer:
    """A file as a server has it. size in bytes and sha256 as far as the server and the catalogue know them."""

    origin: Origin
    url: str
    headers: dict[str, str]
    size: int | None
    sha256: str | None
    version: str  # tells this content from another of the same name


class Remote:
    """The servers, as configured."""

    def __init__(self, settings: WeightsConfig) -> None:
        self._settings = settings

    def origins(self, file: WeightFile) -> Iterator[Origin]:
        """The origins to try, in order: configured copies first; with a configured endpoint, the Hub before other addresses."""
        hub_first = sorted(file.origins, key=lambda o: not isinstance(o, Hub)) if self._settings.endpoint else file.origins
        for origin in hub_first:
            if isinstance(origin, Hub) and origin.repo in self._settings.mirrors:
                yield Hub(self._settings.mirrors[origin.repo], origin.path)
            yield origin

    def ask(self, file: WeightFile, origin: Origin) -> Offer:
        """The origin's offer of the file. Raises UnavailableError."""
        hub = isinstance(origin, Hub)
        if isinstance(origin, Hub):
            url = hf_hub_url(origin.repo, origin.path, revision=origin.revision, endpoint=self._settings.endpoint)
        else:
            url = origin.url
        token = None if url.startswith(HUB) else False  # it is the Hub's: not for a mirror, whoever named it
        try:
            metadata = get_hf_file_metadata(url, token=token)
        except NETWORK_ERRORS as error:
            raise unavailable(error, origin) from error
        etag = metadata.etag or ""
        server_sum = etag if hub and re.fullmatch(r"[0-9a-f]{64}", etag) else None  # the Hub's large files; no web server's
        _compare(file, metadata.size, server_sum)
        sha256 = file.sha256 or server_sum
        headers = build_hf_headers(token=token) | {"Accept-Encoding": "identity"}
        return Offer(origin, url, headers, file.size or metadata.size, sha256, sha256 or etag or str(metadata.size))

    def fetch(self, offer: Offer, part: Path, progress: Callable[[int], None]) -> None:
        """Append to `part` the bytes that it lacks; calls `progress(bytes)` with its size. Raises UnavailableError, OSError."""
        idle = 0
        while True:
            before = part.stat().st_size if part.exists() else 0
            try:
                with part.open("ab") as file, _no_bars():
                    http_get(
                        offer.url,
                        Meter(file, progress),  # type: ignore[arg-type]  # it needs write, seek, tell and truncate
                        resume_size=before,
                        headers=offer.headers,
                        expected_size=offer.size,
                    )
                return
            except NETWORK_ERRORS as error:
                if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO):
                    raise  # the disk's fault, not the server's
                idle = 0 if part.stat().st_size > before else idle + 1
                if isinstance(error, HfHubHTTPError) or idle >= ATTEMPTS:
                    raise unavailable(error, offer.origin) from error


class Meter:
    """A file that reports its size as it grows."""

    def __init__(self, file: BinaryIO, progress: Callable[[int], None]) -> None:
        self._file, self._progress = file, progress
        self.seek, self.tell, self.truncate = file.seek, file.tell, file.truncate

    def write(self, data: bytes) -> int:
        """Write, and report the size."""
        written = self._file.write(data)
        self._progress(self._file.tell())
        return written


def unavailable(error: BaseException, origin: Origin) -> UnavailableError:
    """An error of the HTTP client as a reason and a remedy."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    repo = origin.repo if isinstance(origin, Hub) else str(origin)
    log_in = "make a token at https://huggingface.co/settings/tokens and log in with: hf auth login"
    if isinstance(error, GatedRepoError):
        return UnavailableError("is gated (403)", f"accept its terms at https://huggingface.co/{repo}; then {log_in}")
    if status in (401, 403):
        return UnavailableError(
            f"refuses access ({status})", f"the repository is private or gone, or the token is wrong: {log_in}, or unset HF_TOKEN"
        )
    if status == 404 or isinstance(error, EntryNotFoundError | RepositoryNotFoundError):
        return UnavailableError(
            "has no such file (404)",
            "it was moved or renamed: update sdv2-live, or name another copy in weights.mirror_repos",
        )
    if status is not None:
        return UnavailableError(f"answers with error {status}", "try again later; what has arrived is kept")
    detail = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return UnavailableError(f"cannot be reached ({detail})", _CHECK_NETWORK)


def _compare(file: WeightFile, size: int | None, sha256: str | None) -> None:
    """The publisher may have replaced the file since the catalogue was written: told before gigabytes are fetched."""
    remedy = "update sdv2-live, or put a file that you trust into model.weights_dir yourself"
    if file.size is not None and size is not None and size != file.size:
        raise UnavailableError(f"has another file of that name ({size:,} bytes, not {file.size:,})", remedy)
    if file.sha256 is not None and sha256 is not None and sha256 != file.sha256:
        raise UnavailableError(f"has another file of that name (SHA-256 {sha256[:16]}..., not {file.sha256[:16]}...)", remedy)


@contextmanager
def _no_bars() -> Iterator[None]:
    """The Hub's own progress bars switched off for a while: ours knows the whole."""
    were_on = not are_progress_bars_disabled() and "HF_HUB_DISABLE_PROGRESS_BARS" not in os.environ
    if were_on:
        disable_progress_bars()
    try:
        yield
    finally:
        if were_on:
            enable_progress_bars()
