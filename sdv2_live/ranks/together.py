"""Which cards have been seen to work together: `card-groups.json` in the cache folder, one sorted list of names each.

The file is a convenience: where it is missing, damaged or cannot be written, `model.gpus: auto` takes one card.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sdv2_live.system.atomic import written_whole
from sdv2_live.system.folders import cache_folder

log = logging.getLogger("sdv2_live.ranks")


def groups_file() -> Path:
    """Where they are kept."""
    return cache_folder() / "card-groups.json"


def seen_together(names: Sequence[str]) -> bool:
    """True when these cards, by name, or a group that holds them, have been seen to work together."""
    return any(Counter(names) <= Counter(group) for group in _read())


def saw_together(names: Sequence[str]) -> None:
    """Take note that these cards work together."""
    if seen_together(names):
        return
    file, groups = groups_file(), [*_read(), sorted(names)]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(file) as part:
            part.write_text(json.dumps(groups, indent=1), encoding="utf-8")
    except OSError as error:
        log.warning("%s: cannot be written (%s); model.gpus: auto goes on with one card", file, error.strerror)


def _read() -> list[list[str]]:
    try:
        document = json.loads(groups_file().read_text(encoding="utf-8"))
        return [[str(name) for name in group] for group in document]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError):  # whatever else than such a file it is
        log.warning("%s: unusable; sdv2-live doctor writes it anew", groups_file())
        return []
