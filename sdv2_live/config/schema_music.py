"""The sections of the settings for the music: tempo, sound, light desks and key decks."""

from __future__ import annotations

from typing import Annotated, Literal

from sdv2_live.config.fields import OrOff, Section, key, number, switch


class TempoConfig(Section):
    """Who leads the tempo at the start, and who may be led."""

    source: Literal["internal", "link", "midi", "audio", "osc"] = "internal"
    link_lead: bool = switch(False)
    steer: bool = switch(True)


class AudioConfig(Section):
    """What is listened to, and the tempi that are looked for in it: one octave, from `bpm_from` to its double."""

    source: Annotated[str, OrOff] = key(
        "ndi",
        'off, ndi, auto, card, loopback, or a name as in "card:Scarlett" and "loopback:Speakers"',
        pattern="^(off|ndi|auto|(card|loopback)(:.+)?)$",
    )
    bpm_from: float = number(88.0, 40, 200, "beats a minute")

    @property
    def card(self) -> tuple[str, str] | None:
        """The kind and the name, or part of it, of a sound card's input; None for none."""
        kind, _, name = self.source.partition(":")
        return {"auto": ("card", "")}.get(kind, (kind, name)) if kind not in ("off", "ndi") else None
