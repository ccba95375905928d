"""Spout: pictures shared between the programs of one Windows machine. The library, and the list of senders.

Facts are from the binding's source (Python-SpoutGL 0.1.1, src/PySpoutGL.cpp) and the Spout 2.007 SDK it wraps
(https://spoutgl-site.netlify.app). The binding's `getSenderName` returns the width; it is not used here.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sdv2_live.errors import VideoError
from sdv2_live.threads import OneThread

SYSTEM = sys.platform


@dataclass(frozen=True, slots=True)
class SpoutSenderInfo:
    """A sender on this machine.

    Attributes:
        active: a receiver without a name takes it, as chosen in SpoutPanel.
    """

    name: str
    width: int
    height: int
    active: bool


def load() -> Any:
    """The SpoutGL module.

    Raises:
        VideoError: there is no Spout.
    """
    if SYSTEM != "win32":
        raise VideoError("Spout shares pictures between programs on Windows only; use ndi: in place of spout: on this system")
    try:
        import SpoutGL
        import SpoutGL.enums  # noqa: F401 (which makes it an attribute)
    except (ImportError, OSError) as error:
        raise VideoError(
            f"Spout is not available: the package SpoutGL cannot be loaded ({error}); install it with "
            "`pip install 'sdv2-live[spout]'`, or use ndi: in place of spout:"
        ) from error
    return SpoutGL


def list_senders() -> list[SpoutSenderInfo]:
    """Every sender on this machine, in order of name.

    Raises:
        VideoError: there is no Spout.
    """
    spout = load()

    def look() -> list[SpoutSenderInfo]:
        receiver = spout.SpoutReceiver()
        active = receiver.getActiveSender()
        found = [(name, receiver.getSenderInfo(name)) for name in sorted(receiver.getSenderList())]
        return [SpoutSenderInfo(name, info.width, info.height, name == active) for name, info in found if info is not None]

    thread = OneThread("spout senders")
    try:
        return thread(look)
    finally:
        thread.close()


def match_sender(pattern: str, names: Collection[str], active: str | None, ignore: Collection[str] = ()) -> str | None:
    """The sender that `pattern` means, or None while there is none.

    The exact name wins, then the first in order that contains the pattern in any case. The empty pattern means the active sender,
    or else the first.

    Args:
        ignore: senders (our own) that only their exact names find.
    """
    if pattern in names:
        return pattern
    others = sorted(name for name in names if name not in ignore)
    if not pattern and active in others:
        return active
    return next((name for name in others if pattern.casefold() in name.casefold()), None)
