"""What a show has to do with music: its parts, built from the configuration."""

from __future__ import annotations

from collections.abc import Mapping

from sdv2_live.closing import Service
from sdv2_live.config.schema import Config
from sdv2_live.control.modulation import Modulation
from sdv2_live.control.osc.dispatch import TimedAction
from sdv2_live.control.osc.news import BEAT, LEAD
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.page.lists import Lists
from sdv2_live.control.store import ParamStore
from sdv2_live.music.clock import BeatClock
from sdv2_live.music.running import RunningBeats
from sdv2_live.show.sound import ShowSound
from sdv2_live.show.tempo import TempoKeeper, TempoState


class Music(Service):
    """The music parts of one show.

    Attributes:
        tempo: keeps the beat clock and its rows.
        running: the beat for what is played from its start to its end.
        sound: what is heard.
        modulation: moves parameters; the loop asks it for each chunk.
    """

    def __init__(self, config: Config, store: ParamStore, resumed: TempoState | None = None, lists: Lists | None = None) -> None:
        if config.tempo.source != "internal" and "tempo/source" not in config.given:
            store.set("tempo/source", config.tempo.source, "tempo.source")
        chosen = resumed is not None or "tempo/bpm" in config.given
        self.tempo = TempoKeeper(store, config.tempo, resumed, chosen=chosen)
        self.running = RunningBeats(self.clock)
        lists = lists or Lists()
        listed = lists.add("sound", lambda: self.sound.listed())
        self.sound = ShowSound(config.audio, store, self.clock, listed)
        self.modulation = Modulation(
            self.clock, self.sound.hearing, lists.add("modulation", lambda: self.modulation.state.listed())
        )

    @property
    def clock(self) -> BeatClock:
        """The beat of the show."""
        return self.tempo.clock

    @property
    def actions(self) -> Mapping[str, TimedAction]:
        """Addresses that act, with the time at which they were meant."""
        return {"tempo/clock": self.tempo.hear}

    @property
    def failures(self) -> int:
        """Number of internal errors that its threads have survived."""
        return self.tempo.failures

    def offer(self, bpm: float | None) -> None:
        """Take the tempo of a timeline in beats, as long as nobody has chosen one."""
        if bpm is not None:
            self.tempo.offer(bpm)

    def tell(self, osc: OscServer) -> None:
        """Tell the subscribers of `osc` of every beat."""
        self.tempo.on_beat = lambda beat: osc.news.tell_at_once(BEAT, beat)
        self.tempo.on_led = lambda bpm: osc.news.tell_at_once(LEAD, bpm)

    def start(self) -> None:
        """Start all parts."""
        self.tempo.start()
        self.sound.start()

    def close(self) -> None:
        """Stop all parts. Idempotent."""
        self.sound.close()
        self.tempo.close()
