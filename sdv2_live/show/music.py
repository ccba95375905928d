"""What a show has to do with music: its parts, built from the configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sdv2_live.closing import Service
from sdv2_live.config.schema import Config
from sdv2_live.control.launcher import Launcher
from sdv2_live.control.modulation import Modulation
from sdv2_live.control.osc.client import reached
from sdv2_live.control.osc.dispatch import TimedAction
from sdv2_live.control.osc.feedback import arguments
from sdv2_live.control.osc.news import BEAT, LEAD, PENDING
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.page.lists import Lists
from sdv2_live.control.params import Value
from sdv2_live.control.store import ParamStore
from sdv2_live.control.timeline.buttons import QUANTISED
from sdv2_live.music.clock import BeatClock
from sdv2_live.music.running import RunningBeats
from sdv2_live.show.link import LinkKeeper
from sdv2_live.show.outside import Outside
from sdv2_live.show.sound import ShowSound
from sdv2_live.show.tempo import TempoKeeper, TempoState


class Music(Service):
    """The music parts of one show.

    Attributes:
        tempo: keeps the beat clock and its rows.
        link: keeps the process of Ableton Link.
        running: the beat for what is played from its start to its end.
        sound: what is heard.
        modulation: moves parameters; the loop asks it for each chunk.
        launcher: keeps what hands ask for until the beat.
        outside: the light desks, and the keys that show what happens.
    """

    def __init__(self, config: Config, store: ParamStore, resumed: TempoState | None = None, lists: Lists | None = None) -> None:
        if config.tempo.source != "internal" and "tempo/source" not in config.given:
            store.set("tempo/source", config.tempo.source, "tempo.source")
        chosen = resumed is not None or "tempo/bpm" in config.given
        self.tempo = TempoKeeper(store, config.tempo, resumed, chosen=chosen)
        self.link = LinkKeeper(store, self.tempo.clock)
        self.running = RunningBeats(self.clock)
        lists = lists or Lists()
        listed = lists.add("sound", lambda: self.sound.listed())
        self.sound = ShowSound(config.audio, store, self.clock, listed)
        self.modulation = Modulation(
            self.clock, self.sound.hearing, lists.add("modulation", lambda: self.modulation.state.listed())
        )
        self.launcher = Launcher(store, self.tempo.clock)
        self.launcher.steers = config.tempo.steer
        self.outside = Outside(config, store, self.launcher.set_many)

    @property
    def clock(self) -> BeatClock:
        """The beat of the show."""
        return self.tempo.clock

    @property
    def actions(self) -> Mapping[str, TimedAction]:
        """Addresses that act, with the time at which they were meant."""
        return {"tempo/clock": self.tempo.hear}

    @property
    def counting(self) -> Mapping[str, Any]:
        """Parts that have counters, by the prefix of their names."""
        return {"tempo": self.tempo, "link": self.link, "launch": self.launcher, "ears": self.sound, "dmx": self.outside}

    @property
    def failures(self) -> int:
        """Number of internal errors that its threads have survived."""
        return self.tempo.failures + self.link.failures

    def offer(self, bpm: float | None) -> None:
        """Take the tempo of a timeline in beats, as long as nobody has chosen one."""
        if bpm is not None:
            self.tempo.offer(bpm)

    def tell(self, osc: OscServer, lists: Lists) -> None:
        """Tell subscribers of `osc` and the page of every beat and of what waits for one; tell Link where to reach the show."""
        self.link.server = reached(osc.host), osc.port
        changed = lists.add("pending", self._waiting)
        self.tempo.on_beat = lambda beat: osc.news.tell_at_once(BEAT, beat)
        self.tempo.on_led = lambda bpm: osc.news.tell_at_once(LEAD, bpm)
        self.launcher.on_waiting = partial(_tell_waiting, osc, changed)

    def _waiting(self) -> Mapping[str, Any]:
        return {"items": [{"name": name, "text": _words(name, value)} for name, value in self.launcher.waiting.items()]}

    def start(self) -> None:
        """Start all parts."""
        self.tempo.start()
        self.link.start()
        self.sound.start()
        self.outside.start()

    def close(self) -> None:
        """Stop all parts. Idempotent."""
        self.link.close()
        self.outside.close()
        self.sound.close()
        self.launcher.forget()
        self.tempo.close()


def _words(name: str, value: Value) -> str:
    """What waits, as the page shows it: a value, or the name of what is pressed."""
    pressed = name.replace("/", " ")
    if isinstance(value, bool):
        return pressed if value else f"{pressed} off"
    words = " ".join(map(str, arguments(value)))
    return f"{pressed} {words}" if name in QUANTISED else words


def _tell_waiting(osc: OscServer, changed: Callable[[], None], name: str, value: Value | None) -> None:
    changed()
    osc.news.tell_at_once(PENDING + name, *(() if value is None else arguments(value)))
