"""Folders and files that only their owner reads: what a show keeps of its prompts is nobody else's business.

Windows keeps a user's own folders from others by itself; the modes mean nothing there.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from sdv2_live.system.folders import OWN


def private_folder(folder: Path) -> None:
    """Make a folder, and the missing ones above it, accessible to its owner alone.

    A folder that exists keeps its mode, unless it is this program's own. Raises OSError.
    """
    if not folder.parent.exists():
        private_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.name == OWN:
        with suppress(OSError):  # somebody else's: then it is theirs to say who reads it
            folder.chmod(0o700)


def private_text(path: Path) -> TextIO:
    """A new or emptied text file for its owner alone, open for writing. Raises OSError."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    return os.fdopen(file, "w", encoding="utf-8")
