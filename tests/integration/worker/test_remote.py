"""The engine in a process of its own, with real processes that really end, and a loop and a playout around it.

After everything that happens to the engine: the output has no gap and no black frame, the parameters are as they were, and the
painting comes back.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from support import engines
from support.fakes import Camera, FakeSink
from support.loop_rig import LoopRig
from support.systems import ABORTED, crash, kill, pause
from support.waiting import eventually

from sdv2_live.chunk import Chunk
from sdv2_live.config.choices import Fallback
from sdv2_live.config.schema import Config
from sdv2_live.config.schema_engine import EngineConfig, FaultsConfig
from sdv2_live.control.params import Params
from sdv2_live.control.store import ParamStore
from sdv2_live.errors import EngineError, WeightsError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.live.fallback import FallbackMixer
from sdv2_live.live.playout import Playout
from sdv2_live.stats import Counters, Fill
from sdv2_live.system.clock import monotonic, monotonic_ns
from sdv2_live.system.process import how_it_ended
from sdv2_live.worker.messages import Hello
from sdv2_live.worker.process import Target
from sdv2_live.worker.remote import RemoteEngine

FPS = 120  # chunks come as soon as the engine has painted the last
GREY, NEGATIVE = 100, 155  # the input, and what the stand-in engine makes of it


class Rig(LoopRig):
    """A show without control, around a remote engine. No chunk counts as hung unless `hang_s` says so."""

    def __init__(
        self,
        target: Target = engines.negative,
        instead: Fallback = Fallback.INPUT,
        *,
        overlap: bool = False,
        start: Params = Params(seed=7),  # noqa: B008 (frozen)
        **faults: Any,
    ) -> None:
        engine = EngineConfig(overlap="on" if overlap else "off")
        config = Config(engine=engine, faults=FaultsConfig(**{"hang_s": 60.0, "load_s": 120.0, **faults}))
        counters, store, self.sink = Counters(), ParamStore(start), FakeSink()
        self.camera = Camera(value=GREY, size=(48, 64), format=PixelFormat.BGRX, fps=FPS, noise=0)
        self.hellos: list[Hello] = []
        self.sized: list[int] = []
        self._up: list[int] = []  # when the engine came up, and when the playout was told that it is away
        self._lost: list[int] = []
        self.engine = RemoteEngine(config, store.latest, counters, self._came_up, self._went, target)
        self.engine.on_sized = self.sized.append
        playout = Playout(self.sink, counters, fallback=FallbackMixer(instead, hold_s=0.1, fade_s=0.2, text="soon"))
        parts = self.engine, self.camera, playout, store, counters
        super().__init__(*parts, on_input=playout.offer_input, overlap=overlap)

    def start(self) -> None:
        self.engine.start()
        super().start()

    def close(self) -> None:
        self.engine.halt()
        self.loop.close()
        self.engine.close()
        super().close()

    def _came_up(self, hello: Hello) -> None:
        self._up.append(monotonic_ns())
        self.hellos.append(hello)

    def _went(self) -> None:
        self._lost.append(monotonic_ns())
        self.playout.lost()

    @property
    def pid(self) -> int:
        return self.engine.state().pid

    def restarted(self, before: int) -> None:
        eventually("another process", lambda: self.pid != before and self.engine.ready)
        self.chunks()

    def shows(self, value: int) -> None:
        """Wait until the newest picture sent has this value all over."""
        eventually(f"a picture of {value}", lambda: self.sink.frames and abs(_middle(self.sink.frames[-1]) - value) <= 2)

    def assert_unbroken(self) -> None:
        """No black picture was sent; the output was never silent for as long as a restart takes on this machine."""
        assert all(_middle(frame) > 50 for frame in self.sink.frames)
        away = [up - min(went) for before, up in pairwise([0, *self._up]) if (went := [t for t in self._lost if before < t < up])]
        assert np.diff(self.sink.times_ns).max() < min(away)


def _middle(frame: Frame) -> int:
    return int(frame.data[frame.height // 2, frame.width * 2])


def gone(pid: int) -> None:
    eventually(f"the end of {pid}", lambda: not psutil.pid_exists(pid))


def segments() -> list[str]:
    """What of our memory has a name that could outlive us."""
    return (
        [name for name in os.listdir("/dev/shm") if name.startswith(("sdv2-live", "psm_"))] if Path("/dev/shm").is_dir() else []
    )


def test_whatever_ends_the_process_the_output_goes_on_and_the_painting_comes_back() -> None:
    with Rig(hang_s=0.5) as show:
        show.chunks()
        show.shows(NEGATIVE)
        for end in (kill, crash, pause):
            pid = show.pid
            end(pid)
            show.shows(GREY)  # crossfaded to the input
            show.restarted(pid)
            show.shows(NEGATIVE)  # and back
            gone(pid)
        assert show.counters["engine_restarts"] == 3
        assert show.engine.state().restarts == 3
        (most,) = show.sized  # what was measured stays
        assert show.engine.state().kernels == engines.KERNELS | {"size": f"that of the input, up to {most} pixels"}
        assert show.store.latest() == Params(seed=7)
        assert len(show.hellos) == 4
        show.assert_unbroken()
        assert segments() == []


@pytest.mark.parametrize(
    ("fault", "overlap"), [("raise", False), ("hang", False), ("memory", False), ("raise late", True), ("hang", True)]
)
def test_a_fault_inside_the_engine_is_overcome(fault: str, overlap: bool, caplog: pytest.LogCaptureFixture) -> None:
    with Rig(overlap=overlap, hang_s=0.5) as show:
        show.chunks(10)
        pid = show.pid
        show.store.set("prompt", fault, "test")
        restarts = lambda: show.counters["engine_restarts"]  # noqa: E731
        eventually("a restart", lambda: restarts() > 0)
        show.store.set("prompt", "a meadow", "test")
        show.restarted(pid)
        show.shows(NEGATIVE)
        assert show.store.latest().prompt == "a meadow"
        show.assert_unbroken()
    said = {
        "raise": "a bug in a kernel",
        "raise late": "a bug in the decoder",
        "hang": "no answer to '",  # the chunk's painting, or the next one's preparing
        "memory": "Unable to allocate",
    }
    assert said[fault] in caplog.text


@pytest.mark.parametrize(("cause", "overlap"), [("normalize_latents", False), ("input", True)])
def test_a_set_up_in_mid_show_that_takes_longer_than_a_hang_is_covered_and_costs_nothing_else(cause: str, overlap: bool) -> None:
    with Rig(overlap=overlap, hang_s=engines.SET_UP_S / 3) as show:
        show.chunks(10)
        pid = show.pid
        show.store.set("prompt", "slow set-up", "test")
        show.shows(NEGATIVE)
        if cause == "input":
            show.camera.size = (64, 48)
        else:
            show.store.set("normalize_latents", True, "test")
            show.store.trigger("reset", "test")
        show.shows(GREY)  # while it is set up
        show.shows(NEGATIVE)
        show.store.set("prompt", "", "test")
        show.chunks(12)  # past those that have more time than usual
        assert show.pid == pid
        assert (show.counters["engine_restarts"], show.counters["engine_failures"]) == (0, 0)
        assert all(_middle(frame) > 50 for frame in show.sink.frames)


LOST = "CUDA error: an illegal memory access was encountered"


@pytest.mark.parametrize("where", ["a chunk", "a prompt that nobody waits for"])
def test_a_lost_gpu_costs_the_process_at_once(where: str, caplog: pytest.LogCaptureFixture) -> None:
    with Rig() as show:
        show.chunks()
        pid = show.pid
        if where == "a chunk":
            show.store.set("prompt", LOST, "test")
            eventually("a restart", lambda: show.counters["engine_restarts"] == 1)
            show.store.set("prompt", "", "test")
        else:
            show.engine.encode_prompts([LOST])
        show.restarted(pid)
        show.shows(NEGATIVE)
        assert show.counters["engine_failures"] <= 2
        show.assert_unbroken()
    assert f"was stopped: RuntimeError: {LOST}" in caplog.text


def frames(first: int, size: tuple[int, int]) -> list[Frame]:
    """Five, each of its own grey."""
    height, width = size
    data = [np.full((height, width * 4), i % 256, np.uint8) for i in range(first, first + 5)]
    return [Frame(rows, width, height, PixelFormat.BGRX, captured_ns=first + i, index=first + i) for i, rows in enumerate(data)]


def two_in_flight(show: Rig) -> None:
    """Chunks that take longer than their frames take to come; wait until two are on their way."""
    show.store.set("prompt", "slow", "test")
    eventually("two chunks in flight", lambda: show.loop.queues["flight"].length == 2)


@pytest.mark.parametrize("end", [kill, pause])
def test_a_process_that_ends_with_two_chunks_in_flight_loses_no_more_than_these(end: Callable[[int], None]) -> None:
    with Rig(overlap=True, hang_s=1.0) as show:
        show.chunks(10)
        two_in_flight(show)
        failures, pid = show.counters["engine_failures"], show.pid
        end(pid)
        show.shows(GREY)
        show.restarted(pid)
        assert show.counters["engine_failures"] == failures + 1  # one loss, whatever was in flight
        assert show.counters["engine_restarts"] == 1
        show.store.set("prompt", "", "test")
        show.shows(NEGATIVE)
        show.assert_unbroken()
        assert segments() == []


def test_a_reset_waits_for_what_is_in_flight_and_pictures_stay_in_order() -> None:
    with Rig(overlap=True) as show:
        show.chunks()
        two_in_flight(show)
        for _ in range(3):
            before = show.counters["chunks"]
            show.store.trigger("reset", "test")
            eventually("chunks after it", lambda before=before: show.counters["chunks"] > before + 2)
        times = [frame.captured_ns for frame in show.sink.frames if _middle(frame) == NEGATIVE]
        assert times == sorted(times)
        assert show.counters["engine_failures"] == 0


def test_chunks_in_flight_are_still_shown_when_the_show_ends() -> None:
    with Rig(overlap=True) as show:
        show.chunks()
        two_in_flight(show)
        show.loop.close()
        assert show.loop.queues["flight"].length == 0
        assert show.counters["engine_failures"] == 0


def alone(show: Rig) -> None:
    """With an engine that nobody else drives, at the beginning of a stream."""
    show.loop.close()
    eventually("the engine", lambda: show.engine.ready)
    show.engine.discard()


def test_frames_that_are_pushed_as_they_come_are_seen_as_they_were_then() -> None:
    with Rig() as show:
        engine = show.engine
        alone(show)
        for i in range(12):
            size = (48, 64 + 16 * (i // 3))  # larger memory now and then
            chunk, params = frames(5 * i, size), Params()
            needed = engine.prepare(chunk[0], params)
            for have in (1, 3):
                engine.push(chunk[:have])
            assert engine.prepare(chunk[0], params) == needed
            painted = engine.launch(Chunk.of(chunk[:needed], params)).result().pictures
            assert [int(frame.data[0, 0]) for frame in painted] == [(255 - 5 * i - j) % 256 for j in range(needed)]
            assert [frame.index for frame in painted] == [frame.index for frame in chunk[:needed]]


def test_what_goes_wrong_with_a_pushed_frame_is_told_with_its_chunk(caplog: pytest.LogCaptureFixture) -> None:
    with Rig() as show:
        alone(show)
        engine, params = show.engine, Params(prompt="raise early")
        chunk = frames(0, (48, 64))
        needed = engine.prepare(chunk[0], params)
        for have in (1, 2, 3):
            engine.push(chunk[:have])
        assert engine.prepare(chunk[0], params) == needed
        with pytest.raises(EngineError, match="a bug in the encoder"):
            engine.launch(Chunk.of(chunk[:needed], params)).result()
        engine.discard()
        engine.prepare(chunk[0], Params())
        engine.push(chunk[:1])
        assert len(engine.launch(Chunk.of(chunk, Params())).result().pictures) == 5
        assert caplog.text.count("'push' failed") == 1


@pytest.mark.parametrize("overlap", [False, True], ids=["alone", "overlap"])
def test_one_failed_chunk_does_not_cost_the_process(overlap: bool, caplog: pytest.LogCaptureFixture) -> None:
    with Rig(overlap=overlap) as show:
        show.chunks()
        pid, failures = show.pid, show.counters["engine_failures"]
        show.store.set("prompt", "raise", "test")
        eventually("a failure", lambda: show.counters["engine_failures"] > failures)
        show.store.set("prompt", "a meadow", "test")
        show.chunks()
        assert show.pid == pid
        assert "a bug in a kernel" in caplog.text
        assert "engines.py" in caplog.text  # the traceback of the other process


@pytest.mark.parametrize(("instead", "value"), [(Fallback.HOLD, NEGATIVE), (Fallback.SLATE, 26), (Fallback.BLACK, 0)])
def test_what_is_seen_meanwhile_can_be_chosen(instead: Fallback, value: int) -> None:
    with Rig(instead=instead, hang_s=0.5) as show:
        show.chunks(10)
        show.store.set("prompt", "hang", "test")
        restarts = show.counters["engine_restarts"]
        eventually("a restart", lambda: show.counters["engine_restarts"] > restarts)
        corner = lambda: int(show.sink.frames[-1].data[0, 0])  # noqa: E731
        eventually("the substitute", lambda: corner() == value)
        show.store.set("prompt", "", "test")
        show.shows(NEGATIVE)


def test_before_the_engine_is_up_the_input_passes_and_stopping_does_not_wait_for_it() -> None:
    with Rig(engines.loading_for_ever) as show:
        show.shows(GREY)
        assert show.engine.state().words == "loading"
        pid = eventually("the process", lambda: show.pid)
        begin = monotonic()
        show.close()
        assert monotonic() - begin < 60  # the deadline of loading is 120 s
        gone(pid)


def test_what_the_performer_must_repair_ends_the_start(caplog: pytest.LogCaptureFixture) -> None:
    with Rig(engines.without_weights) as show:
        failure = eventually("the failure", lambda: show.engine.failure)
        assert isinstance(failure, WeightsError)
        assert "dit.safetensors is missing" in str(failure)
        assert show.counters["engine_restarts"] == 0


@pytest.mark.parametrize(
    ("prompt", "said"), [("a mistake", "IndexError: Dimension out"), ("end", how_it_ended(ABORTED) + "; it never")]
)
def test_what_can_never_come_up_ends_the_start(prompt: str, said: str) -> None:
    with Rig(engines.by_the_prompt, start=Params(prompt=prompt), crashes=1, ladder=()) as show:
        failure = eventually("the failure", lambda: show.engine.failure)
        assert type(failure) is EngineError
        assert said in str(failure)
        assert show.counters["engine_restarts"] == (prompt == "end")


@pytest.mark.parametrize("prompt", ["damaged", "a mistake"])
def test_what_cannot_come_up_again_is_told_once_and_comes_back_when_it_is_repaired(
    prompt: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Rig(engines.by_the_prompt, ladder=("60%",), crashes=1, retry_s=1.0) as show:
        show.chunks()
        restarts = show.counters["engine_restarts"]
        show.store.set("prompt", prompt, "test")
        kill(show.pid)
        eventually("two tries", lambda: show.counters["engine_restarts"] >= restarts + 3)
        assert show.engine.failure is None
        state = show.engine.state()
        assert state.words.startswith("away, next try in 1 s: ")
        assert state.ladder in ((), ("60%",))  # what the kill took; the refusals took nothing
        show.shows(GREY)
        show.store.set("prompt", "whole", "test")
        show.chunks()
        show.shows(NEGATIVE)
        show.assert_unbroken()
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    why = "cut off" if prompt == "damaged" else "Dimension out of range"
    assert [record.name for record in errors if why in record.getMessage()].count("sdv2_live.engine") == 1
    assert [record.name for record in errors].count("sdv2_live.worker") == (prompt == "a mistake")  # its traceback


def test_a_crash_loop_steps_down_until_the_engine_lives(caplog: pytest.LogCaptureFixture) -> None:
    with Rig(engines.crashing, crashes=1, ladder=("taehv", "60%")) as show:
        eventually("the last step", lambda: show.engine.state().ladder == ("taehv", "60%"))
    assert "CUDA out of memory" in caplog.text
    with Rig(engines.crashing, crashes=1, ladder=("60%",)) as show:
        show.chunks()
        assert show.engine.state().ladder == ("60%",)
        assert "from now on with less (60%)" in caplog.text


def test_after_a_quiet_time_a_step_is_given_back_and_taken_again_where_that_was_too_early(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Rig(engines.crashing, crashes=1, ladder=("60%",), climb_s=0.5) as show:
        eventually("a climb", lambda: "the step 60% is given back; still lowered to: nothing" in caplog.text)
        eventually("a second one", lambda: caplog.text.count("is given back") >= 2, 60)  # after the engine was up again
        eventually("the step again", lambda: show.engine.ready and show.engine.state().ladder == ("60%",))
        show.shows(NEGATIVE)
        show.assert_unbroken()


def test_cards_that_never_come_together_leave_one_that_paints() -> None:
    with Rig(engines.one_card_less, start=Params(prompt="never together"), crashes=1, ladder=("taehv", "fewer-cards")) as show:
        show.chunks()
        assert show.engine.state().ladder == ("taehv", "fewer-cards")


def test_a_card_that_is_gone_leaves_the_other_at_once(caplog: pytest.LogCaptureFixture) -> None:
    with Rig(engines.one_card_less, start=Params(prompt="one goes"), crashes=3, ladder=("taehv", "fewer-cards")) as show:
        show.chunks()
        kill(show.pid)
        eventually("one card", lambda: show.engine.ready and show.engine.state().ladder == ("fewer-cards",))
        show.chunks()
    assert "there is no GPU 1. The output goes on; the engine starts again at once" in caplog.text
    assert "from now on with less (fewer-cards)" in caplog.text
    assert "ended too often" not in caplog.text


def test_below_the_ladder_the_engine_stays_away_and_tries_again(caplog: pytest.LogCaptureFixture) -> None:
    with Rig(engines.crashing, crashes=1, ladder=(), retry_s=1.0) as show:
        eventually("three tries", lambda: show.counters["engine_restarts"] >= 3)
        assert show.engine.state().words.startswith("away")
        assert show.engine.queues["engine_requests"].length <= 1  # what ended is looked at, and does not add up
        show.shows(GREY)


def test_every_queue_on_the_way_is_told_with_its_bound() -> None:
    with Rig() as show:
        show.chunks()
        eventually("the process's own", lambda: show.engine.queues.get("prompts") == Fill(3, 8))
        assert show.engine.encoding == ("not yet", "nor this")
        assert {"engine_requests", "engine_replies"} < show.engine.queues.keys()
        parts = (show.intake, show.playout, show.engine)
        assert all(fill.length <= fill.bound for part in parts for fill in part.queues.values())


def test_prompts_written_while_the_engine_is_up_are_encoded_ahead(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sdv2_live")
    with Rig() as show:
        show.chunks(1)
        show.engine.encode_prompts(["a lighthouse"], slot="cue_prompt")
        eventually("the request", lambda: "encode a lighthouse for cue_prompt" in caplog.text)


def test_a_new_input_size_and_held_pictures_do_not_confuse_the_memory() -> None:
    with Rig() as show:
        show.chunks()
        held = list(show.sink.frames)  # every picture so far: far more than there are places
        show.chunks(20)
        show.camera.size = (64, 96)
        eventually("the new size", lambda: show.sink.frames[-1].size == (64, 96))
        show.chunks()
        assert {_middle(frame) for frame in held + show.sink.frames[-5:]} <= {GREY, NEGATIVE}
        assert show.counters["engine_failures"] == 0


def test_the_small_autoencoder_is_taken_and_given_back_without_a_crash_being_counted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"), Rig(crashes=1, instead=Fallback.HOLD) as show:
        show.chunks()
        assert show.engine.can_lighten
        for small, ladder in ((True, "ladder taehv"), (False, "ladder ")):
            before = show.pid
            show.engine.lighten(small)
            show.engine.lighten(small)  # once is enough
            show.restarted(before)
            assert [record.message for record in caplog.records if record.message.startswith("ladder")][-1] == ladder
        assert show.engine.state().ladder == ()
        assert show.counters["engine_restarts"] == 2
        assert "ended too often" not in caplog.text
        show.assert_unbroken()
