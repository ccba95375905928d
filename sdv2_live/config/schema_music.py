"""The sections of the settings for the music: tempo, sound, light desks and key decks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import StringConstraints

from sdv2_live.config.fields import OrOff, Section, Texts, integer, key, number, switch
from sdv2_live.music.dmx import artnet, sacn
from sdv2_live.music.dmx.chart import Mode
from sdv2_live.music.dmx.packets import SLOTS, Protocol


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


class DmxConfig(Section):
    """Light desks that play the show: where they are heard, and on which channels."""

    enabled: bool = switch(False)
    interface: str = key("127.0.0.1", "the address or the name of one of this machine's interfaces", min_length=1)
    protocol: Literal["both", "artnet", "sacn"] = "both"
    artnet_universe: int = integer(0, 0, artnet.MAX_UNIVERSE, note=", as Art-Net counts: from 0")
    sacn_universe: int = integer(1, 1, sacn.MAX_UNIVERSE)
    address: int = integer(1, 1, SLOTS)
    mode: Mode = "8bit"
    takeover: Literal["change", "always"] = "change"
    allow: Texts = key((), 'a list of addresses and networks, or text such as "10.0.0.20,10.0.0.0/24"')

    @property
    def universes(self) -> dict[Protocol, int]:
        """The universe of each protocol that is listened to."""
        both = {Protocol.ARTNET: self.artnet_universe, Protocol.SACN: self.sacn_universe}
        return {one: both[one] for one in Protocol if self.protocol in ("both", one.name.lower())}


_VARIABLE = StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$", strict=True)
SHOWN = {"sdv2_bpm": "tempo/bpm", "sdv2_beat": "tempo/beat", "sdv2_preset": "preset", "sdv2_fps": "status/fps"}


class CompanionConfig(Section):
    """Variables of Bitfocus Companion, and what they show of the show."""

    enabled: bool = switch(False)
    host: str = key("127.0.0.1", "an address or host name", min_length=1)
    port: int = integer(12321, 1, 65535)
    variables: Mapping[Annotated[str, _VARIABLE], str] = key(
        SHOWN,
        "variables of Companion and what they show, such as {sdv2_bpm: tempo/bpm, look: preset}",
        max_length=64,
    )
