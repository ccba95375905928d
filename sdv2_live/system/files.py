"""Files: names that every system takes, and replacing one that somebody has open."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import sys
import time
from pathlib import Path

_DEVICE = re.compile(r"con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3]", re.IGNORECASE)
_MAX_PATH = 259  # characters of a path, where Windows has not been told to allow more
_TRIES, _BETWEEN_S = 20, 0.05  # a virus scanner or an indexer lets go within less


def replace(source: Path, target: Path) -> None:
    """Put `source` in the place of `target`, whole. Raises OSError.

    Windows refuses that while another program has `target` open and does not share it, as scanners have for a moment whatever
    was just written (Microsoft: "CreateFileW function", FILE_SHARE_DELETE): there it is tried for a second.
    """
    if sys.platform != "win32":
        source.replace(target)
        return
    for left in reversed(range(_TRIES)):
        try:
            source.replace(target)
        except PermissionError as error:
            if not left:
                raise PermissionError(error.errno, f"{error.strerror} (another program may have it open)") from error
            time.sleep(_BETWEEN_S)
        else:
            return


def check(path: Path) -> None:
    """Raise OSError, with words for it, where Windows would write something else than a file of this path, or none."""
    if sys.platform == "win32" and (why := _misread(path)):
        raise OSError(errno.EINVAL, why)


def misread(name: str) -> str:
    """The thing that Windows takes a file's name for, such as "a device"; empty where it is just a name.

    Microsoft: "Naming Files, Paths, and Namespaces"; for streams, "File Streams (Local File Systems)".
    """
    if _is_device(name):
        return "a device"
    if ":" in name:
        return f"a stream of {name.partition(':')[0]}"
    return name.rstrip(". ") if name.endswith((".", " ")) else ""


def portable(stem: str) -> str:
    """A name of letters, digits and hyphens that no system takes for a device.

    Windows does that with CON and COM1, whatever suffix follows (Microsoft: "Naming Files, Paths, and Namespaces").
    """
    return f"{stem}-" if _is_device(stem) else stem


def _is_device(name: str) -> bool:
    return bool(_DEVICE.fullmatch(name.partition(".")[0].rstrip(" ")))


def _misread(path: Path) -> str:
    if other := misread(path.name):
        return f"Windows takes {path.name!r} for {other}; choose another name"
    if len(os.path.abspath(path)) > _MAX_PATH and not _long_paths():
        return f"Windows takes no path of more than {_MAX_PATH} characters, unless LongPathsEnabled is set in its registry"
    return ""


def _long_paths() -> bool:
    """True when Windows takes long paths from this program (Microsoft: "Maximum Path Length Limitation")."""
    if sys.platform != "win32":
        return True
    enabled = getattr(ctypes.WinDLL("ntdll"), "RtlAreLongPathsEnabled", None)
    return enabled is not None and bool(enabled() & 0xFF)
