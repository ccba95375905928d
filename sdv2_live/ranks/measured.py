"""Times of stages as a show measured them, kept for the next set-up: `stage-times.json` in the cache folder.

The file is a convenience: one that is missing, damaged or cannot be written costs the next show the cost model's estimate in its
place, and a line in the log.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sdv2_live.ranks.partition import StageTimes
from sdv2_live.system.atomic import written_whole
from sdv2_live.system.folders import cache_folder

log = logging.getLogger("sdv2_live.ranks")

FORMAT = 1
MAX_ENTRIES = 200  # the oldest go
NAMES = ("encode", "block", "decode")


@dataclass(frozen=True, slots=True)
class Measured:
    """What times of stages depend on.

    Attributes:
        card: its name, as its driver has it.
        model: the profile.
        vae: the autoencoder.
        size: (height, width).
        precision: as the configuration calls it, such as bf16 or fp8.
        kv_frames: latent frames that attention sees.
    """

    card: str
    model: str
    vae: str
    size: tuple[int, int]
    precision: str
    kv_frames: int

    @property
    def key(self) -> str:
        """One line that stands for it."""
        height, width = self.size
        return f"{self.card} | {self.model} | {self.vae} | {height}x{width} | {self.precision} | {self.kv_frames}"


def times_file() -> Path:
    """Where measured times are kept."""
    return cache_folder() / "stage-times.json"


def recall(what: Measured, file: Path | None = None) -> StageTimes | None:
    """The measured times; None where there are none."""
    return _read(file or times_file()).get(what.key)


def remember(what: Measured, times: StageTimes, file: Path | None = None) -> None:
    """Keep measured times in place of earlier ones."""
    file = file or times_file()
    kept = {key: value for key, value in _read(file).items() if key != what.key} | {what.key: times}
    newest = list(kept.items())[-MAX_ENTRIES:]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(file) as part:
            part.write_text(json.dumps({"format": FORMAT, "seconds": {key: asdict(value) for key, value in newest}}, indent=1))
    except OSError as error:
        log.warning("%s: cannot be written (%s); the next set-up balances by reckoned times", file, error.strerror)


def _read(file: Path) -> dict[str, StageTimes]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            return {}
        return {str(key): _times(value) for key, value in document["seconds"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # whatever else than such a file it is
        log.warning("%s: unusable, it is written anew; until then ranks are balanced by reckoned times", file)
        return {}


def _times(value: Mapping[str, Any]) -> StageTimes:
    seconds = [float(value[name]) for name in NAMES]
    if not all(math.isfinite(each) and each >= 0 for each in seconds):
        raise ValueError(f"no times: {dict(value)}")
    return StageTimes(*seconds)
