"""The user's folders: for files that a show keeps, downloads or reads by itself.

Linux and macOS follow the XDG Base Directory Specification, whose folders macOS, unlike its own Caches, never empties to make
room. Windows has one folder of local application data (FOLDERID_LocalAppData, in Microsoft's "KNOWNFOLDERID").
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

OWN = "sdv2-live"  # the name of folders that are this program's alone


def state_folder() -> Path:
    """The folder of the live state and the log.

    XDG_STATE_HOME, on every system that has it set, or ~/.local/state; on Windows %LOCALAPPDATA%.
    """
    chosen = os.environ.get("XDG_STATE_HOME")
    if sys.platform == "win32" and not chosen:
        import platformdirs

        return Path(platformdirs.user_state_path(OWN, appauthor=False))
    return Path(chosen or "~/.local/state").expanduser() / OWN


def cache_folder() -> Path:
    """Of weights, encoded prompts and compiled kernels: ~/.cache; on Windows %LOCALAPPDATA%."""
    if sys.platform == "win32":
        import platformdirs

        return Path(platformdirs.user_cache_path(OWN, appauthor=False))
    return Path("~/.cache").expanduser() / OWN


def keep_kernels() -> None:
    """Have this process and its children keep the kernels that Triton and CuPy compile in the cache folder.

    Both look for their variable when they are imported. One that is set already stays.
    """
    for compiler in ("triton", "cupy"):
        os.environ.setdefault(f"{compiler.upper()}_CACHE_DIR", str(cache_folder() / "kernels" / compiler))


def config_folder() -> Path:
    """Of what a performer makes: ~/.config; on Windows %LOCALAPPDATA%."""
    if sys.platform == "win32":
        import platformdirs

        return Path(platformdirs.user_config_path(OWN, appauthor=False))
    return Path("~/.config").expanduser() / OWN


def ndi_folder() -> Path:
    """The folder of the machine's NDI settings, which NDI's Access Manager keeps on Windows.

    docs.ndi.video, SDK, "Platform Considerations".
    """
    return Path(os.environ.get("PROGRAMDATA", "C:/ProgramData"), "NDI") if sys.platform == "win32" else Path.home() / ".ndi"
