"""The tempo of a show: rows and clock in agreement, played over OSC, kept for the next show."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import build_msg
from support.waiting import DEADLINE_S

from sdv2_live.config.load import load_config
from sdv2_live.config.schema import Config
from sdv2_live.control.osc.addresses import Setting, resolve
from sdv2_live.control.params import PARAMS, Params
from sdv2_live.control.presets.file import load_preset, look
from sdv2_live.control.store import ParamStore
from sdv2_live.errors import ConfigError, ParamError
from sdv2_live.music.news import LEADERS
from sdv2_live.show.control_plane import ControlPlane
from sdv2_live.show.journal import LiveState, read_journal
from sdv2_live.show.music import Music
from sdv2_live.show.tempo import TempoState
from sdv2_live.system.clock import monotonic_ns

S = 1_000_000_000


@pytest.fixture
def music(store: ParamStore) -> Iterator[Music]:
    with Music(Config(), store) as music:
        yield music
    assert music.failures == 0


@pytest.fixture
def config(tmp_path: Path) -> Config:
    keys = [f"timeline.dir={tmp_path / 'timelines'}", f"state.dir={tmp_path / 'state'}", "osc.port=0"]
    return load_config(None, keys)


def test_every_source_that_may_speak_can_be_chosen() -> None:
    assert PARAMS["tempo/source"].choices == ("internal", *LEADERS)


def test_rows_act_on_the_clock_when_they_are_written_at_the_time_that_was_meant(store: ParamStore, music: Music) -> None:
    now = monotonic_ns()
    store.set_many({"tempo/bpm": 100}, "hand", now)
    store.set_many({"tempo/resync": True}, "hand", now + S)
    assert (music.clock.bpm, music.clock.tempo.beat(now + S)) == (100.0, 0.0)
    store.set_many({"tempo/nudge": 60}, "hand", now + S)
    assert music.clock.tempo.beat(now + S) == pytest.approx(0.1)
    assert store.latest().tempo_nudge == 0
    store.set_many({"tempo/push": 1}, "hand", now + 2 * S)
    assert music.clock.tempo.bpm == pytest.approx(103)
    store.set_many({"tempo/push": 0}, "hand", now + 3 * S)
    assert music.clock.tempo.bpm == 100
    store.set_many({"tempo/offset_ms": 600}, "hand", now + 3 * S)
    assert store.latest().tempo_offset_ms == 500
    store.set_many({"tempo/beats_per_bar": 3}, "hand", now + 3 * S)
    assert music.clock.beats_per_bar == 3
    for name, bpm in (("multiply", 200), ("divide", 100), ("divide", 50)):
        store.trigger(f"tempo/{name}", "hand")
        assert music.clock.bpm == bpm


def test_the_row_follows_taps_and_sources_rounded(store: ParamStore, music: Music, wait: Any) -> None:
    now = monotonic_ns()
    for number in range(4):
        store.trigger("tempo/tap", "hand", now + round(number * 0.4711 * S))
    wait(lambda: store.latest().tempo_bpm == round(60 / 0.4711, 1))
    store.set("tempo/source", "osc", "hand")
    music.tempo.hear((139.96, 8.0, 0.0), monotonic_ns())
    wait(lambda: store.latest().tempo_bpm == 140.0)


def test_what_no_chunk_is_painted_by_is_told_with_none(store: ParamStore, music: Music) -> None:
    store.set_many({"tempo/bpm": 128, "tempo/tap": 1, "tempo/push": 1}, "hand")
    taken = store.snapshot(1)
    assert (taken.fired, taken.changed) == (frozenset(), frozenset())


def test_a_write_of_the_tempo_takes_the_lead_but_an_echo_does_not(store: ParamStore, music: Music, wait: Any) -> None:
    store.set("tempo/source", "osc", "hand")
    music.tempo.hear((140.0, 8.0, 0.0), monotonic_ns())
    wait(lambda: store.latest().tempo_bpm == 140.0)
    store.set("tempo/bpm", 140.0, "a program that sends back what it hears")
    assert (store.latest().tempo_source, music.clock.source) == ("osc", "osc")
    store.set("tempo/bpm", 125.0, "hand")
    assert (store.latest().tempo_source, music.clock.source, music.clock.bpm) == ("internal", "internal", 125.0)


def test_where_link_may_be_led_its_session_is_asked(store: ParamStore) -> None:
    music = Music(Config().replaced(tempo=Config().tempo.model_copy(update={"link_lead": True, "source": "link"})), store)
    asked: list[float] = []
    music.tempo.on_led = asked.append
    store.set("tempo/bpm", 125.0, "hand")
    assert (asked, store.latest().tempo_source, music.clock.bpm) == ([125.0], "link", 120.0)


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ((0.0, 8.0, 0.0), "the tempo cannot be 0 bpm; give 20..999 bpm"),
        ((1e6, 8.0, 0.0), "the tempo cannot be 1e+06 bpm; give 20..999 bpm"),
        ((math.nan, 8.0, 0.0), "the tempo cannot be nan bpm; give 20..999 bpm"),
        ((120.0, math.inf, 0.0), "the count of beats cannot be inf; give -1e+09..1e+09"),
        ((120.0, 8.0, 60_000.0), "its age cannot be 60000 ms; give 0..5000 ms"),
        ((120.0, 8.0, -1.0), "its age cannot be -1 ms; give 0..5000 ms"),
        (("internal", 120.0, 8.0, 0.0), "there is no source 'internal'; give one of link, midi, audio, osc, or none for osc"),
        ((120.0, 8.0), "the tempo cannot be (120.0, 8.0); give a source"),
        (("link", "fast", 8.0, 0.0), "the tempo cannot be"),
        ((), "the tempo cannot be ()"),
    ],
)
def test_news_that_are_none_are_counted_and_change_nothing(
    args: tuple[Any, ...], reason: str, store: ParamStore, music: Music
) -> None:
    music.tempo.hear(("link", 128.0, 4.0, 0.0, 2), monotonic_ns())
    store.set("tempo/source", "link", "hand")
    before = music.clock.tempo
    with pytest.raises(ParamError) as refused:
        music.tempo.hear(args, monotonic_ns())
    assert str(refused.value).startswith(reason)
    assert music.tempo.counters.refused == 1
    assert music.clock.tempo == before


def test_the_age_of_news_is_taken_off_their_arrival(store: ParamStore, music: Music) -> None:
    store.set("tempo/source", "midi", "hand")
    now = monotonic_ns()
    music.tempo.hear(("midi", 120.0, 100.0, 250.0), now)
    assert music.clock.tempo.beat(now) == pytest.approx(100.5)


def test_beats_reach_subscribers_unthrottled(config: Config, client_of: Any) -> None:
    with ControlPlane(config) as desk:
        client = client_of(desk.osc.port)
        client.send("/sdv2/subscribe")
        client.dump()
        client.send("/sdv2/tempo/beats_per_bar", 3)
        client.send("/sdv2/tempo/bpm", 999.0)
        client.send("/sdv2/tempo/resync", 1)
        beats: list[tuple[int, float]] = []
        while len(beats) < 20:
            address, *args = client.answer()
            beats += [(args[0], time.monotonic())] if address == "/sdv2/tempo/beat" else []
    numbers = [number for number, _ in beats]
    first = numbers.index(1)
    assert numbers[first : first + 12] == [1, 2, 3] * 4
    assert desk.failures == desk.osc.counters.failures == 0


def test_news_by_osc_lead_and_what_is_none_is_answered(config: Config, client_of: Any, wait: Any) -> None:
    with ControlPlane(config) as desk:
        client = client_of(desk.osc.port)
        client.send("/sdv2/tempo/source", "osc")
        client.send("/sdv2/tempo/clock", 133.0, 16.0, 0.0)
        wait(lambda: desk.store.latest().tempo_bpm == 133.0)
        client.send("/sdv2/tempo/clock", 0.0, 16.0, 0.0)
        assert client.answer() == ("/sdv2/error", "/sdv2/tempo/clock", "the tempo cannot be 0 bpm; give 20..999 bpm")
        client.send("/sdv2/tempo/beat", 1)  # as another show tells it
        client.send("/sdv2/tempo/clock", math.nan, 16.0, 0.0)
        assert client.answer()[1:] == ("/sdv2/tempo/clock", "the tempo cannot be nan bpm; give 20..999 bpm")
        assert desk.counted["tempo_refused"] == 2
        assert desk.store.latest().tempo_bpm == 133.0


@pytest.mark.parametrize("value", [0.0, 1e6, -5.0, math.nan])
def test_a_tempo_out_of_range_is_no_tempo(value: float, config: Config, client_of: Any) -> None:
    with ControlPlane(config) as desk:
        client = client_of(desk.osc.port)
        client.send("/sdv2/tempo/bpm", value)
        assert client.answer()[0:2] == ("/sdv2/error", "/sdv2/tempo/bpm")
        assert (desk.music.clock.bpm, desk.store.latest().tempo_bpm) == (120.0, 120.0)


def test_the_tempo_is_kept_with_its_beat(config: Config, tmp_path: Path, wait: Any) -> None:
    with ControlPlane(config) as desk:
        store, clock = desk.store, desk.music.clock
        store.set_many({"tempo/bpm": 87.5, "tempo/beats_per_bar": 3, "tempo/offset_ms": 200, "tempo/push": 1}, "hand")
        store.set("tempo/push", 0, "hand")
        assert desk.journal is not None
        path = desk.journal.path
        wait(lambda: path.exists() and json.loads(path.read_text())["beat"]["bpm"] == 87.5)
        tap = monotonic_ns()
        store.set_many({"tempo/tap": True}, "hand", tap)  # no row changes
    tempo, state = clock.tempo, read_journal(path)
    assert {name for name in state.values if name.startswith("tempo/")} == {
        name for name, spec in PARAMS.items() if name.startswith("tempo/") and spec.kept
    }
    assert "tempo/push" not in state.values
    resumed = config.with_params(state.start_params(config.params), config.given | state.values.keys())
    with ControlPlane(resumed, resumed=state) as desk:
        now = monotonic_ns()
        assert desk.music.clock.bpm == 87.5
        assert desk.music.clock.tempo.beat(now) == pytest.approx(tempo.beat(now), abs=0.02)  # two clocks are read for it
        assert desk.music.clock.beats_per_bar == 3


@pytest.mark.parametrize("damage", [{"bpm": 0.0}, {"beat": math.nan}, {"unix": math.inf}])
def test_a_beat_that_a_journal_cannot_mean_is_no_beat(damage: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="no t"):
        TempoState(**{"beat": 7.0, "bpm": 90.0, "unix": 1e9, **damage})


def test_a_tempo_that_an_option_asks_for_goes_before_the_kept_one(config: Config) -> None:
    state = LiveState({"tempo/bpm": 90.0}, beat=TempoState(7.0, 90.0, time.time()))
    resumed = config.with_params(state.start_params(config.params), config.given | {"tempo/bpm"}, {"tempo/bpm": 100.0})
    with ControlPlane(resumed, resumed=state) as desk:
        assert desk.music.clock.bpm == 100.0


def test_no_preset_moves_the_session(tmp_path: Path) -> None:
    assert not any(name.startswith("tempo/") for name in look(Params()))
    path = tmp_path / "1-ink.yaml"
    path.write_text("name: Ink\nparams: {prompt: ink, tempo/bpm: 99}")
    with pytest.raises(ConfigError, match="tempo/bpm belongs to the session, and no preset moves it; leave it out"):
        load_preset(path)


@pytest.mark.parametrize(("address", "value", "bpm"), [("norm", 0.0, 20.0), ("norm", 0.25, 140.0), ("midi", 127, 500.0)])
def test_the_scaled_tempo_covers_20_to_500(address: str, value: float, bpm: float) -> None:
    asked = resolve(f"/sdv2/tempo/bpm/{address}", (value,))
    assert isinstance(asked, Setting)
    assert asked.value == bpm


def test_a_silent_source_is_told(config: Config, caplog: pytest.LogCaptureFixture, wait: Any) -> None:
    caplog.set_level(logging.INFO)
    with ControlPlane(config) as desk:
        desk.music.tempo.hear(("osc", 128.0, 4.0, 0.0, 2), monotonic_ns() - 5 * S)
        desk.store.set("tempo/source", "osc", "hand")
        assert desk.music.tempo.now().words == "osc, 2 peers, 120.0 bpm"
        wait(lambda: desk.music.clock.silent)
        assert desk.music.tempo.now().words == "osc, silent: the beat goes on, 120.0 bpm"
        assert (desk.music.tempo.now().peers, desk.music.tempo.now().confidence) == (0, 0.0)
        wait(lambda: desk.counted["tempo_lost"] == 1)


def test_a_timeline_in_beats_brings_its_tempo_as_long_as_nobody_has_chosen_one(store: ParamStore, music: Music) -> None:
    music.offer(None)
    assert store.latest().tempo_bpm == 120
    music.offer(128.0)
    music.offer(90.0)
    assert (store.latest().tempo_bpm, music.clock.bpm) == (90.0, 90.0)
    store.set("tempo/bpm", 100, "hand")
    music.offer(128.0)
    assert (store.latest().tempo_bpm, music.clock.bpm) == (100.0, 100.0)


def test_a_page_can_listen_to_the_beat(config: Config) -> None:
    async def beats(port: int) -> list[float]:
        async with ClientSession() as session, session.ws_connect(f"http://127.0.0.1:{port}/") as stream:
            await stream.send_str(json.dumps({"COMMAND": "LISTEN", "DATA": "/sdv2/tempo/beat"}))
            return [OscMessage((await stream.receive(DEADLINE_S)).data).params[0] for _ in range(3)]

    with ControlPlane(config) as desk:
        assert desk.http is not None
        desk.store.set("tempo/bpm", 480, "hand")
        told = asyncio.run(beats(desk.http.port))
    assert set(told) <= {1, 2, 3, 4}
    assert len(set(told)) > 1


def test_taps_in_bundles_count_at_their_time_tags_however_they_arrive(config: Config, client_of: Any, wait: Any) -> None:
    tap = build_msg("/sdv2/tempo/tap", [1]).dgram
    with ControlPlane(config) as desk:
        client, now = client_of(desk.osc.port), time.time()
        for at in (-0.6, -0.3, 0.0, 0.3):  # all sent at once
            client.bundle(tap, at=now + at)
        wait(lambda: desk.counted["tempo_taps"] == 4)
        assert desk.music.clock.bpm == pytest.approx(200, abs=0.5)  # two clocks are read for each
