"""Ableton Link with real processes in a network namespace: another program's session leads the show, and a kill is overcome."""

from __future__ import annotations

from contextlib import closing, suppress

import psutil
import pytest
from support.link_session import Other
from support.systems import kill
from support.waiting import eventually

from sdv2_live.config.schema import Config
from sdv2_live.config.schema_music import TempoConfig
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.page.lists import Lists
from sdv2_live.control.params import Params
from sdv2_live.control.store import ParamStore
from sdv2_live.link.session import installed
from sdv2_live.show import link
from sdv2_live.show.music import Music
from sdv2_live.system.clock import monotonic_ns

pytestmark = pytest.mark.skipif(installed() is None, reason="the extra link is not installed: pip install 'sdv2-live[link]'")


class Rig:
    """The music parts of a show, with its OSC server."""

    def __init__(self, *, lead: bool = False, others: frozenset[int] = frozenset()) -> None:
        self.others = others
        self.store = ParamStore(Params())
        self.music = Music(Config(tempo=TempoConfig(link_lead=lead)), self.store)
        self.server = OscServer(self.store, port=0, timed=self.music.actions)
        self.music.tell(self.server, Lists())
        self.server.start()
        self.music.start()

    @property
    def pid(self) -> int:
        """Of Link's process, 0 while there is none."""
        for one in psutil.Process().children():
            with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
                if one.pid not in self.others and any("spawn_main" in part for part in one.cmdline()):
                    return one.pid
        return 0

    def close(self) -> None:
        self.music.close()
        self.server.close()


def test_a_session_leads_the_show_and_the_show_leaves_its_tempo_alone() -> None:
    with closing(Other(125.0)) as other, closing(Rig(others=frozenset({other.pid}))) as show:
        show.store.set("tempo/source", "link", "hand")
        eventually("a peer", lambda: show.music.tempo.now().peers == 1)
        eventually("the session's tempo", lambda: abs(show.music.clock.bpm - 125.0) < 0.05)
        assert other.ask()[0] == pytest.approx(125.0, abs=0.01)
        eventually("the same place in the bar", lambda: apart(show, other) < 0.02)
        other.ask(140.0)
        eventually("the new tempo", lambda: abs(show.music.clock.bpm - 140.0) < 0.05)

        first = show.pid
        kill(first)
        eventually("another process", lambda: show.pid not in (0, first))
        assert show.music.clock.bpm == pytest.approx(140.0, abs=0.05)
        eventually("the peer again", lambda: show.music.tempo.now().peers == 1 and apart(show, other) < 0.02)
        assert show.music.link.counters.ended == 1

        last = show.pid
        show.store.set("tempo/source", "internal", "hand")
        eventually("its end", lambda: not psutil.pid_exists(last))
        assert show.music.clock.bpm == pytest.approx(140.0, abs=0.05)


def apart(show: Rig, other: Other) -> float:
    """How far the show's place in the bar is from the other program's, in beats."""
    _, phase, _, at_ns = other.ask()
    beats = (show.music.clock.tempo.beat(at_ns) - phase) % 4
    return min(beats, 4 - beats)


def test_a_show_that_may_lead_sets_the_tempo_of_the_session() -> None:
    with closing(Other(125.0)) as other, closing(Rig(lead=True)) as show:
        show.store.set("tempo/source", "link", "hand")
        eventually("a peer", lambda: show.music.tempo.now().peers == 1)
        show.store.set("tempo/bpm", 96.0, "hand")
        eventually("the session's tempo", lambda: abs(other.ask()[0] - 96.0) < 0.05)


def test_a_process_that_hangs_is_replaced(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    assert link.SILENT_S == 10.0
    monkeypatch.setattr(link, "SILENT_S", 3.0)  # what a busy machine takes to start one
    with closing(Rig()) as show:
        show.store.set("tempo/source", "link", "hand")
        eventually("its beat", lambda: show.music.clock.sources.get("link"))
        first, bpm = show.pid, show.music.clock.bpm
        psutil.Process(first).suspend()
        eventually("another process", lambda: show.pid not in (0, first))
        assert not psutil.pid_exists(first)
        assert (show.music.link.counters.ended, show.music.clock.bpm) == (1, bpm)
        assert "has said nothing for 3 s; the beat goes on" in caplog.text
        since_ns = monotonic_ns()
        eventually("its beat again", lambda: show.music.clock.sources["link"].heard_ns > since_ns)
