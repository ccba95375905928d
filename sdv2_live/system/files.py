"""Files: names that every system takes, and replacing one that somebody has open."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])", re.IGNORECASE)
_TRIES, _BETWEEN_S = 20, 0.05  # a virus scanner or an indexer lets go within less


def replace(source: Path, target: Path) -> None:
    """Put `source` in the place of `target`, whole. Raises OSError.

    Windows refuses that while another program has `target` open and does not share it, as scanners have for a moment whatever
    was just written (Microsoft: "CreateFileW function", FILE_SHARE_DELETE): there it is tried for a second.
    """
    for _ in range(_TRIES if sys.platform == "win32" else 0):
        try:
            source.replace(target)
        except PermissionError:
            time.sleep(_BETWEEN_S)
        else:
            return
    source.replace(target)


def portable(stem: str) -> str:
    """A name of letters, digits and hyphens that no system takes for a device, as Windows does CON and COM1, whatever suffix
    follows (Microsoft: "Naming Files, Paths, and Namespaces")."""
    return f"{stem}-" if _DEVICE.fullmatch(stem) else stem
