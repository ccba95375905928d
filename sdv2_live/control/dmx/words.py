"""What is said of the light desks, in the log and in the status."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sdv2_live.music.dmx.merge import Desk


@dataclass(frozen=True, slots=True)
class DmxNow:
    """What a show says of its light desks: how many send now, and in words who."""

    desks: int = 0
    words: str = "off"


def now(where: str, desks: Iterable[Desk], silent: Iterable[str]) -> DmxNow:
    """The present state.

    Args:
        where: the interface and the universes that are listened to.
        desks: those that send.
        silent: those that do no more.
    """
    sending = list(desks)
    priorities = {desk.priority for desk in sending}
    said = [f"{desk.origin}, priority {desk.priority}" if len(priorities) > 1 else desk.origin for desk in sending]
    if len(sending) > 1:
        said.append("of the highest priority the newest change counts" if len(priorities) > 1 else "the newest change counts")
    said += [f"{one} is silent, its last look is held" for one in silent]
    return DmxNow(len(sending), f"{where}: {'; '.join(said) or 'no desk sends'}")
