"""The sound of an NDI input, over real NDI on loopback: a camera that flashes on the beat of a loop."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("NDIlib", reason="ndi-python has no wheel for this system", exc_type=ImportError)
pytest.importorskip("cyndilib", reason="the independent NDI client (cyndilib) has no wheel for this system", exc_type=ImportError)

from support.drum_loops import HOUSE, drums
from support.fake_card import FakeCard
from support.fakes import only
from support.sound import FPS, Camera
from support.waiting import eventually

from sdv2_live.config.schema_music import AudioConfig
from sdv2_live.control.params import Params
from sdv2_live.control.store import ParamStore
from sdv2_live.frame import Frame
from sdv2_live.io.ndi.source import NdiSource
from sdv2_live.music.clock import BeatClock
from sdv2_live.music.heard import Heard
from sdv2_live.music.tempo import Tempo
from sdv2_live.show.sound import ShowSound
from sdv2_live.stats import Counters
from sdv2_live.system.clock import monotonic_ns

BPM = 120
BEAT_PICTURES = FPS * 60 // BPM
CHUNK = 4
FRAME_NS = 1_000_000_000 // FPS


class Shown:
    """A show's input and ears, without its engine and output. The pictures are cut into chunks as the loop does."""

    def __init__(self, source: str, camera: Camera) -> None:
        self.clock = BeatClock(Tempo(monotonic_ns(), 0.0, 100.0), "audio")
        self.told = threading.Event()
        self.sound = ShowSound(AudioConfig(source=source), ParamStore(Params()), self.clock, self.told.set)
        self.source = NdiSource(camera.sender.full_name)
        self.input = only(self.source, Counters())
        self.frames: list[Frame] = []
        self.sound.join(self.input)
        self.sound.start()
        self.input.start(self.frames.append)

    @property
    def chunks(self) -> list[list[Frame]]:
        return [self.frames[begin : begin + CHUNK] for begin in range(0, len(self.frames) - CHUNK, CHUNK)]

    def close(self) -> None:
        self.input.close()
        self.sound.close()


def flashing(chunk: list[Frame]) -> bool:
    return any(frame.data[0, 1] > 128 for frame in chunk)


@pytest.fixture
def camera() -> Iterator[Camera]:
    loop = drums("house", BPM, HOUSE, seconds=8, first_s=0.0)
    camera = Camera(lambda number: np.stack([loop.sound[number % loop.sound.size]] * 2), flash_every=BEAT_PICTURES)
    yield camera
    camera.close()


def test_flash_and_kick_are_in_one_chunk_and_the_beat_leads(camera: Camera) -> None:
    shown = Shown("ndi", camera)
    try:
        eventually("the tempo", lambda: abs(shown.clock.bpm - BPM) < 0.5, 60)
        eventually("chunks", lambda: len(shown.chunks) > 45, 60)
        chunks = shown.chunks[15:-2]
        assert 5 < sum(map(flashing, chunks)) < len(chunks) / 2
        between = shown.sound.hearing.between
        same = [(between(one[0].captured_ns, one[-1].captured_ns + FRAME_NS).kick > 0.3) == flashing(one) for one in chunks]
        assert np.mean(same) >= 0.8, "a busy machine delays a picture, and so may put it into the chunk after"
        flashes = [frame.captured_ns for frame in shown.frames[90:] if flashing([frame])]
        off_beats = [(shown.clock.tempo.beat(at_ns) + 0.5) % 1 - 0.5 for at_ns in flashes]
        assert np.abs(np.median(off_beats)) < 0.05
        now = shown.sound.now()
        assert now.words == "ndi"
        assert now.meters.live
        assert -30 < now.meters.peak_db < 0
        assert now.meters.heard.kick > 0.3
        assert shown.told.is_set()
        assert shown.sound.listed().keys() == {"source", "live", "peak_db", *Heard.__slots__}
        eventually("a kick in the meters", lambda: shown.sound.levels()[5] > 0.3)
    finally:
        shown.close()


def test_where_sound_is_off_none_is_asked_for(camera: Camera) -> None:
    shown = Shown("off", camera)
    try:
        assert shown.source.listeners == ()
        assert shown.sound.ears is None
        assert shown.sound.hearing.between(0, monotonic_ns()) == Heard()
        assert shown.sound.now().words == "off"
        assert shown.sound.listed() == {"source": "off", "live": False}
        assert shown.sound.levels() == ()
    finally:
        shown.close()


def test_auto_hears_the_input_and_without_it_the_card(camera: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    card = FakeCard()
    monkeypatch.setattr("sdv2_live.show.sound.SoundProcess", lambda kind, name: card.open())
    shown = Shown("auto", camera)
    try:
        eventually("the input's sound", lambda: shown.sound.now().words == "ndi")
        camera.close()
        eventually("the card's", lambda: shown.sound.now().words == "card:fake" and shown.sound.now().meters.live)
        eventually("its level", lambda: shown.sound.now().meters.peak_db == pytest.approx(-20, abs=0.1))
        card.plugged = False
        eventually("the loss", lambda: shown.sound.counters.card_lost == 1)
        eventually("it told", lambda: "there is no sound card input" in shown.sound.now().words)
        assert not shown.sound.now().meters.live
    finally:
        shown.close()


def test_gain_is_played_live(camera: Camera) -> None:
    shown = Shown("ndi", camera)
    try:
        store = shown.sound._store
        store.set_many({"audio/auto_gain": False, "audio/gain": -40.0}, "test")
        eventually("soft", lambda: 0 < shown.sound.now().meters.heard.env < 0.02)
        store.set("audio/gain", 40.0, "test")
        eventually("loud", lambda: shown.sound.now().meters.heard.env > 0.9)
    finally:
        shown.close()
