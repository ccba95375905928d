"""The sections of the settings for the music: tempo, sound, light desks and key decks."""

from __future__ import annotations

from typing import Literal

from sdv2_live.config.fields import Section, switch


class TempoConfig(Section):
    """Who leads the tempo at the start, and who may be led."""

    source: Literal["internal", "link", "midi", "audio", "osc"] = "internal"
    link_lead: bool = switch(False)
