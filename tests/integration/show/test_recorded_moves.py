"""What is played, recorded and rendered again has the same parameters at every chunk."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from support.engines import Negative
from support.fakes import HandCamera
from support.loop_rig import LoopRig, Shown
from support.waiting import eventually

from sdv2_live.chunk import Chunk, Generated
from sdv2_live.control.macros import Macros
from sdv2_live.control.params import Params, updated
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.store import ParamStore
from sdv2_live.control.timeline.files import load_timeline
from sdv2_live.control.timeline.model import Timeline
from sdv2_live.control.timeline.recording import MoveRecorder
from sdv2_live.control.timeline.write import write_timeline
from sdv2_live.frame import Frame
from sdv2_live.pipeline.render import VideoClock, restyled
from sdv2_live.stats import Counters, StageTimer

PRESETS = {
    "01-ink.yaml": "name: Ink\nparams: {prompt: ink, noise_scale: 0.25, mix: 0.5, steps: [600, 300]}",
    "02-two.yaml": "name: Two\nparams: {prompt: one, prompt/2/text: two, prompt/1/weight: 0.4, prompt/2/weight: 0.6, seed: 5}",
    "03-sea.yaml": "name: Sea\nparams: {prompt: 'sea: deep # blue', noise_scale: 0.9, transition_chunks: 3}",
}
Seen = tuple[int, Params, bool]  # of a chunk: its first frame's time, its parameters, whether it began anew


class Noting(Negative):
    """Notes what each chunk was painted from."""

    def __init__(self) -> None:
        super().__init__(StageTimer())
        self.ready = True
        self.moves = False
        self.frames: list[Frame] = []
        self.chunks: list[Seen] = []
        self._reset = False

    def prepare(self, like: Frame, params: Params, *, reset: bool = False, render_scale: float = 1.0) -> int:
        self._reset |= reset
        return super().prepare(like, params, reset=reset, render_scale=render_scale)

    def launch(self, chunk: Chunk, *, convert: bool = True, wait_for_prompt: bool = False) -> Future[Generated]:
        self.frames += chunk.frames
        self.chunks.append((chunk.frames[0].captured_ns, chunk.params, self._reset))
        self._reset = False
        return super().launch(chunk, convert=convert)


class Rig(LoopRig):
    """A live show of frames that come when they are told to, whose moves can be recorded."""

    def __init__(self, folder: Path) -> None:
        for name, text in PRESETS.items():
            (folder / name).write_text(text, encoding="utf-8")
        self.presets = PresetLibrary(folder)
        self.camera = HandCamera(noise=0)
        self.full: list[bool] = []
        store = ParamStore(macros=Macros(self.presets), clock=self.camera.clock.now)
        self.moves = MoveRecorder(store.names, Macros(self.presets), self.camera.clock.now_ns, lambda: self.full.append(True))
        self.noting = Noting()
        counters = Counters()
        super().__init__(self.noting, self.camera, Shown(counters), store, counters, moves=self.moves)
        store.add_listener(self.moves.changed)

    def give(self, chunks: int) -> None:
        """Frames until so many chunks more are painted."""
        for _ in range(chunks):
            before = len(self.noting.chunks)
            while len(self.noting.chunks) == before:
                given = self.camera.given
                self.camera.give(1)
                eventually("the frame", lambda given=given: self.camera.given > given)
                eventually("its turn", lambda: self.intake.begun or self.loop._in_flight)

    def record(self) -> None:
        """Begin; forgets the chunks so far."""
        self.moves.begin(self.store.latest())
        self.began_ns = self.camera.clock.now_ns()
        self.noting.chunks, self.noting.frames = [], []

    def end(self) -> Timeline:
        self.moves.stop(self.store.latest())
        return self.moves.timeline("played")


@pytest.fixture
def rig(tmp_path: Path) -> Any:
    with Rig(tmp_path) as rig:
        yield rig


def rendered(rig: Rig, timeline: Timeline, path: Path) -> list[Seen]:
    """The chunks of a rendering of the same frames, after the timeline went through its file."""
    write_timeline(path, timeline)
    read = load_timeline(path, presets=rig.presets)
    assert read.events == timeline.events
    assert read.digest == timeline.digest
    frames, began_ns = rig.noting.frames, rig.began_ns
    video = [frame.at(rate=frame.rate, captured_ns=frame.captured_ns - began_ns, index=frame.index) for frame in frames]
    clock, noting = VideoClock(), Noting()
    noting.prepare(frames[0], OTHER)
    noting.started = True  # as the show's was when the recording began
    store = ParamStore(OTHER, Macros(rig.presets), clock)
    assert len(list(restyled(noting, iter(video), store, read, clock))) == len(video)  # type: ignore[arg-type]
    return [(at_ns + began_ns, params, reset) for at_ns, params, reset in noting.chunks]


OTHER = updated(
    Params(), {"noise_scale": 0.11, "prompt/3/text": "left over", "prompt/3/weight": 1.0, "morph_seconds": 9.0, "mix": 0.2}
)

MOVES: list[Callable[[random.Random], dict[str, Any]]] = [
    lambda hand: {"noise_scale": hand.uniform(-0.5, 1.5)},  # clamped
    lambda hand: {"mix": hand.random(), "prompt/2/weight": hand.random()},
    lambda hand: {"prompt": hand.choice(["a", "1984", "no", "# not a comment", "two\nlines", "日本 🎆", " edge ", "x" * 3000])},
    lambda hand: {"prompt/2/text": hand.choice(["", "second", "'quoted': \"so\""])},
    lambda hand: {"cue_prompt": f"cue {hand.random()}"},
    lambda hand: {"cue_prompt": "now", "take": True},
    lambda hand: {"cue_prompt": ""},
    lambda hand: {"seed": hand.choice([1, 2**63 - 1, "random", "lock"])},
    lambda hand: {"reset": True},
    lambda hand: {"steps": hand.choice([[700, 500], [400], [1000, 750, 500, 250]])},
    lambda hand: {"preset": hand.choice(["Ink", "Two", "Sea"]), "morph_seconds": hand.choice([0.0, 0.4, 3.0])},
    lambda hand: {"preset": hand.choice([1, 2, 3])},
    lambda hand: {"blackout": hand.random() < 0.5},
    lambda hand: {"input_select": hand.choice(["auto", "main"]), "interpolation": "slerp", "prompt_change": "cut"},
]


@pytest.mark.parametrize("seed", range(2))
def test_two_hands_recorded_and_rendered_have_the_same_parameters_at_every_chunk(rig: Rig, tmp_path: Path, seed: int) -> None:
    rig.set(prompt="before", noise_scale=0.4)
    rig.give(2)
    rig.record()
    done = threading.Event()

    def fader() -> None:
        hand = random.Random(seed)
        while not done.wait(0.002):
            rig.store.set("noise_scale", hand.random(), "second hand")

    second = threading.Thread(target=fader)
    second.start()
    hand = random.Random(100 + seed)
    for _ in range(30):
        for _ in range(hand.randrange(4)):
            rig.store.set_many(hand.choice(MOVES)(hand), "hand")
        rig.give(1)
    done.set()
    second.join()
    timeline = rig.end()
    rig.close()
    assert len(rig.noting.chunks) > 20
    again = rendered(rig, timeline, tmp_path / "played.yaml")
    for number, (rendering, live) in enumerate(zip(again, rig.noting.chunks, strict=True)):
        assert rendering == live, f"chunk {number}"


def test_a_fader_leaves_one_value_a_chunk_and_a_morph_plays_again_though_its_preset_was_edited(rig: Rig, tmp_path: Path) -> None:
    rig.give(1)
    rig.record()
    for number in range(5):
        for step in range(50):
            rig.set(mix=(50 * number + step) / 250)
        rig.give(1)
    rig.set(preset="Ink", morph_seconds=0.5)
    rig.give(6)
    timeline = rig.end()
    rig.close()
    live = rig.noting.chunks
    assert len(timeline.events) <= 1 + len(live)
    assert len({params.noise_scale for _, params, _ in live}) > 3  # it glided
    assert [event.values["preset"] for event in timeline.events if "preset" in event.values] == ["Ink"]
    (tmp_path / "01-ink.yaml").write_text("name: Ink\nparams: {prompt: other, noise_scale: 0.99, mix: 0.1, steps: [200]}")
    rig.presets.load()
    assert rendered(rig, timeline, tmp_path / "played.yaml") == live


def test_what_is_pressed_while_nothing_is_painted_is_kept(rig: Rig) -> None:
    rig.give(1)
    rig.record()
    clock = rig.camera.clock
    for freeze in (True, False, True):
        clock.advance(1.0)
        rig.set(freeze=freeze, prompt=f"prompt {freeze}")
    clock.advance(1.0)
    timeline = rig.end()
    began = [(event.at, dict(event.values)) for event in timeline.events[1:]]
    assert began == [(1.0, {"freeze": True}), (2.0, {"freeze": False}), (3.0, {"freeze": True}), (4.0, {"prompt": "prompt True"})]
    assert timeline.duration == 4.0


def test_a_recording_that_has_grown_too_long_ends_by_itself_and_can_be_read_back(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdv2_live.control.timeline.recording.MAX_BYTES", 20_000)
    rig.record()
    for number in range(40):
        rig.set(prompt=f"{number} " + "\N{PERFORMING ARTS} é " * 100, blackout=number % 2 == 0)
        rig.moves.taken(rig.store.snapshot())
        rig.moves.chunk(rig.camera.clock.now_ns() + number * 10**8)
    assert rig.full == [True]
    timeline = rig.end()
    write_timeline(tmp_path / "long.yaml", timeline)
    assert (tmp_path / "long.yaml").stat().st_size < 20_000 + 4000  # that of the last chunk
    assert load_timeline(tmp_path / "long.yaml").events == timeline.events
    assert not rig.moves.holds
