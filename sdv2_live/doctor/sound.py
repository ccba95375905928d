"""Probe of the sound inputs of this machine."""

from __future__ import annotations

from collections.abc import Iterator

from sdv2_live.config.schema import Config
from sdv2_live.doctor.probe import Check, fail, ok, warn
from sdv2_live.errors import SoundError
from sdv2_live.io.sound.lib import SoundInput, list_cards, list_loopbacks, match_input

NOT_NEEDED = "not needed for the sound of an NDI input"


def look_sound(config: Config) -> Iterator[Check]:
    """sound."""
    wanted = config.audio.card
    kind, name = wanted or ("", "")
    found: list[SoundInput] = []
    problems: dict[str, str] = {}
    for one, look in (("card", list_cards), ("loopback", list_loopbacks)):
        try:
            found += look()
        except SoundError as error:
            problems[one] = str(error)
    problem = fail if wanted and config.audio.source != "auto" else warn
    if kind in problems:
        yield problem("sound", problems[kind], "or set audio.source: ndi")
    elif wanted and match_input(name, [one for one in found if one.kind == kind]) is None:
        missing = f"'{name}'" if name else f"default {kind}"
        yield problem(
            "sound", f"there is no {missing} to listen to", f"set audio.source to one of: {_listed(found) or 'ndi, off'}"
        )
    elif len(problems) == len((list_cards, list_loopbacks)):
        yield warn("sound", "no sound card can be listened to", f"{'; '.join(problems.values())}; {NOT_NEEDED}")
    else:
        also = "".join(f"; {what}" for what in problems.values())
        yield ok("sound", f"{_listed(found) or 'no sound card'}{also}")


def _listed(found: list[SoundInput]) -> str:
    return ", ".join(one.use for one in found)
