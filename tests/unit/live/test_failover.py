"""An input that does not fail: cameras that are switched off and on while frames are read, by a clock that moves when told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from support.fakes import Camera, FakeClock
from support.waiting import eventually

from sdv2_live.config.choices import OnLost
from sdv2_live.errors import VideoError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.base import Source
from sdv2_live.io.texture import TextureSource
from sdv2_live.live.failover import Failover
from sdv2_live.live.input_health import Fault
from sdv2_live.live.input_policy import ActiveInput, Policy
from sdv2_live.stats import Counters, Fill

LOST_S = 0.3
NEVER_S = 60.0  # where no pause may be taken for a loss
TICK_S = 0.01  # between two frames of a camera


class Rig:
    """A guarded camera, 40 of 255, with a backup, 200; `select` as the performer set it. Every `read` is a tick of its clock."""

    def __init__(self, backup: Camera | None, texture: Source | None, policy: Policy, main: Camera | None = None) -> None:
        self.clock = FakeClock()
        self.main, self.backup = main or Camera("main", 40), backup
        for camera in (self.main, self.backup):
            if camera is not None:
                camera.clock = self.clock
        self.counters = Counters()
        self.select = "auto"
        self.held: list[bool] = []
        self.source = Failover(
            self.main,
            policy,
            self.counters,
            backup=backup,
            texture=texture,
            select=lambda: self.select,
            on_held=self.held.append,
            clock=self.clock.now_ns,
        )
        self.given: list[Frame] = []
        self.source._give = self.given.append  # the inputs are read here, one after the other, and not on threads of their own

    def read(self) -> list[Frame]:
        """What is given in one tick."""
        before = len(self.given)
        self.clock.advance(TICK_S)
        for reader in self.source._readers.values():
            if not reader.ended:
                reader.step()
        return self.given[before:]

    def reads_until(self, what: str, reached: Callable[[], object]) -> None:
        """Read until this holds, for a minute at most."""
        for _ in range(round(60 / TICK_S)):
            self.read()
            if reached():
                return
        raise AssertionError(f"{what} did not come")

    def until(self, what: str, wanted: Callable[[Frame], object]) -> Frame:
        """Read until a frame is like that."""
        before = len(self.given)
        self.reads_until(what, lambda: any(wanted(frame) for frame in self.given[before:]))
        return self.given[-1]

    def shows(self, shown: ActiveInput) -> None:
        self.reads_until(f"{shown} to be shown", lambda: self.source.state.shown is shown)


@contextmanager
def guarding(
    on_lost: OnLost = OnLost.BACKUP,
    *,
    backup: Camera | None = None,
    texture: Source | None = None,
    main: Camera | None = None,
    **policy: float,
) -> Iterator[Rig]:
    settings = {"lost_s": LOST_S, "return_s": 0.5, "fade_s": 0.0} | policy
    rig = Rig(backup, texture, Policy(on_lost, **settings), main)
    try:
        yield rig
    finally:
        rig.source.close()


def mean(frame: Frame) -> float:
    return float(frame.data.mean())


def is_main(frame: Frame) -> bool:
    return 39 <= mean(frame) <= 44


def is_backup(frame: Frame) -> bool:
    return mean(frame) > 150


def test_frames_pass_as_they_came() -> None:
    with guarding(OnLost.HOLD, lost_s=NEVER_S) as rig:
        rig.reads_until("frames", lambda: len(rig.given) > 20)
        assert all(is_main(frame) for frame in rig.given)
        assert [frame.index for frame in rig.given] == list(range(len(rig.given)))
        assert rig.source.state.words == "main"
        assert rig.source.status == "main"
        assert not any(name.startswith("inputs") for name in rig.counters.snapshot())


def test_a_lost_input_gives_way_to_the_backup_and_takes_its_place_again_when_it_is_steady() -> None:
    with guarding(backup=Camera("spare", 200)) as rig:
        rig.until("the main input", is_main)
        assert rig.source.inputs == (rig.main, rig.backup)
        assert rig.source.on_air is rig.main
        rig.main.on = False
        rig.until("the backup", is_backup)
        assert rig.source.state.words == "backup: the input is lost"
        assert rig.source.on_air is rig.backup
        assert rig.source.status == "main, input lost, backup (spare)"
        rig.main.on = True
        back_at = len(rig.given)
        rig.until("the main input again", is_main)
        assert rig.source.on_air is rig.main
        waited_ns = rig.given[-1].captured_ns - rig.given[back_at].captured_ns
        assert waited_ns == pytest.approx(0.5e9, abs=2 * TICK_S * 1e9)  # return_s: the backup stayed meanwhile
        assert rig.counters["inputs_lost"] == rig.counters["inputs_returned"] == 1
        stamps = [frame.captured_ns for frame in rig.given]
        assert stamps == sorted(set(stamps))
        assert [frame.index for frame in rig.given] == list(range(len(rig.given)))


def test_the_backup_is_read_all_the_time_and_its_newest_frame_is_at_hand() -> None:
    spare = Camera("spare", 200)
    with guarding(backup=spare, lost_s=NEVER_S) as rig:
        rig.reads_until("the backup to be read", lambda: spare.given > 20)
        newest = rig.source._readers[ActiveInput.BACKUP].newest
        assert newest is not None
        assert newest.index == spare.given
        assert rig.source.queues == {"input_main": Fill(0, 1), "input_backup": Fill(1, 1)}


def test_a_main_input_that_flickers_does_not_flap() -> None:
    with guarding(backup=Camera("spare", 200), return_s=5.0) as rig:
        rig.until("the main input", is_main)
        rig.main.on = False
        rig.shows(ActiveInput.BACKUP)
        before = rig.counters["inputs_returned"]
        for _ in range(3):
            rig.main.on = True
            rig.reads_until("main to flow", lambda: rig.source.state.fault is None)
            rig.main.on = False
            rig.reads_until("main to be lost", lambda: rig.source.state.fault is Fault.LOST)
        assert rig.source.state.shown is ActiveInput.BACKUP
        assert rig.counters["inputs_returned"] == before


@pytest.mark.parametrize("format", [PixelFormat.RGBX, PixelFormat.UYVY])
def test_the_backup_comes_in_the_main_inputs_size_and_layout(format: PixelFormat) -> None:
    with guarding(backup=Camera("spare", 200, (90, 64), format)) as rig:
        rig.until("the main input", is_main)
        rig.main.on = False
        rig.shows(ActiveInput.BACKUP)
        frame = rig.until("the backup", lambda frame: not is_main(frame))
        assert (frame.size, frame.format) == ((32, 48), PixelFormat.RGBX)


def test_one_input_is_faded_in_over_the_other() -> None:
    with guarding(backup=Camera("spare", 200), fade_s=0.4) as rig:
        rig.until("the main input", is_main)
        rig.main.on = False
        rig.until("the backup", lambda frame: 199 <= mean(frame) <= 206)
        between = [mean(frame) for frame in rig.given if 50 < mean(frame) < 190]
        assert len(between) >= 3
        assert between == sorted(between)


def test_an_input_that_comes_back_in_another_shape_is_cut_in() -> None:
    with guarding(OnLost.HOLD, fade_s=0.4) as rig:
        rig.until("the main input", is_main)
        rig.main.on = False
        rig.shows(ActiveInput.NOTHING)
        rig.main.on, rig.main.size, rig.main.value = True, (64, 48), 120
        before = len(rig.given)
        rig.reads_until("frames", lambda: len(rig.given) > before + 3)
        assert all(120 <= mean(frame) <= 122 for frame in rig.given[before:])


def test_hold_gives_nothing_and_goes_on_at_once() -> None:
    with guarding(OnLost.HOLD, return_s=60.0) as rig:
        rig.until("the main input", is_main)
        rig.main.on = False
        rig.shows(ActiveInput.NOTHING)
        assert rig.read() == []
        assert rig.source.state.words == "nothing: the input is lost"
        rig.main.on = True
        rig.until("the main input again", is_main)
        assert rig.held == []


def test_a_slate_is_asked_for_and_taken_away() -> None:
    with guarding(OnLost.SLATE) as rig:
        rig.until("the main input", is_main)
        rig.main.on = False
        rig.shows(ActiveInput.NOTHING)
        assert rig.held == [True]
        rig.main.on = True
        rig.until("the main input again", is_main)
        assert rig.held == [True, False]


def test_text_gives_a_picture_that_moves() -> None:
    with guarding(OnLost.TEXT, texture=TextureSource(Fraction(100))) as rig:
        rig.until("the main input", is_main)
        rig.main.on = False
        rig.shows(ActiveInput.TEXTURE)
        before = len(rig.given)
        rig.reads_until("some of it", lambda: len(rig.given) > before + 12)
        first, *_, last = rig.given[before:]
        assert (first.size, first.format) == ((32, 48), PixelFormat.RGBX)
        assert not np.array_equal(first.data, last.data)
        assert first.data[:, :48].std() > 5


@pytest.mark.parametrize(("fault", "settings"), [(Fault.FROZEN, {"frozen_s": 0.4}), (Fault.BLACK, {"black_s": 0.4})])
def test_frozen_and_black_inputs_fail_too_where_that_is_asked_for(fault: Fault, settings: dict[str, Any]) -> None:
    with guarding(backup=Camera("spare", 200), lost_s=NEVER_S, **settings) as rig:
        rig.until("the main input", is_main)
        if fault is Fault.FROZEN:
            rig.main.noise = 0
        else:
            rig.main.value = 0
        rig.until("the backup", is_backup)
        assert rig.source.state.fault is fault
        assert rig.counters[f"inputs_{fault.value}"] == 1
        rig.main.noise, rig.main.value = 3, 40
        rig.until("the main input again", is_main)


def test_without_a_backup_that_flows_nothing_is_better_than_to_wait() -> None:
    spare = Camera("spare", 200)
    spare.on = False
    with guarding(backup=spare, return_s=60.0) as rig:
        rig.until("the main input", is_main)
        rig.main.on = False
        rig.shows(ActiveInput.NOTHING)
        rig.main.on = True
        rig.until("the main input again", is_main)
        rig.main.on = False
        rig.shows(ActiveInput.NOTHING)
        spare.on = True
        rig.until("the backup that came late", is_backup)


def test_the_performer_chooses() -> None:
    with guarding(OnLost.HOLD, backup=Camera("spare", 200)) as rig:
        rig.until("the main input", is_main)
        rig.select = "backup"
        rig.until("the backup", is_backup)
        assert rig.source.state.words == "backup"
        rig.select = "main"
        rig.until("the main input", is_main)
        rig.main.on = False
        rig.reads_until("the loss", lambda: rig.source.state.fault is Fault.LOST)
        assert rig.read() == []
        assert rig.source.state.shown is ActiveInput.MAIN


def test_backup_without_one_is_the_main_input() -> None:
    with guarding(OnLost.HOLD) as rig:
        rig.select = "backup"
        rig.until("the main input", is_main)


def test_an_input_that_breaks_for_good_ends_the_show_only_where_there_is_no_other() -> None:
    with guarding(OnLost.HOLD) as rig:
        rig.main.error = VideoError("clip.mp4: the disk is gone")
        assert not rig.source.ended
        rig.read()
        assert "the disk is gone" in str(rig.source.failure)
        assert rig.source.ended
    with guarding(backup=Camera("spare", 200)) as rig:
        rig.until("the main input", is_main)
        rig.main.error = VideoError("clip.mp4: the disk is gone")
        rig.until("the backup", is_backup)
        assert rig.source.failure is None
        assert not rig.source.ended


@pytest.mark.parametrize("on_lost", list(OnLost))
def test_the_backup_serves_an_input_that_broke_whatever_the_policy(on_lost: OnLost) -> None:
    texture = TextureSource() if on_lost is OnLost.TEXT else None
    with guarding(on_lost, backup=Camera("spare", 200), texture=texture, lost_s=NEVER_S) as rig:
        rig.until("the main input", is_main)
        rig.main.error = VideoError("clip.mp4: the disk is gone")
        rig.until("the backup", is_backup)
        assert rig.source.state.words == "backup: the input is lost"
        assert rig.held == []
        assert not rig.source.ended


class Slow(Camera):
    """A frame every 0.15 s, each of another grey."""

    def read(self, timeout: float) -> Frame | None:
        self.reads = getattr(self, "reads", 0) + 1
        if self.reads % 15:
            return None
        self.value = 40 + 10 * (self.given % 20)
        return super().read(timeout)


def test_a_slow_input_shows_each_of_its_frames() -> None:
    """Its frames are further apart than lost_s."""
    slow = Slow("slow", 40)
    slow.noise = 0
    with guarding(OnLost.HOLD, main=slow, lost_s=0.1, fade_s=0.5) as rig:
        values = lambda: [int(frame.data[0, 0]) for frame in rig.given]  # noqa: E731
        rig.reads_until("eight of its pictures", lambda: len({value for value in values() if value % 10 == 0}) >= 8)
        assert len(rig.given) == slow.given
        assert values()[4:] == [40 + 10 * i for i in range(4, slow.given)]  # its pace is known, and the fade is over


def test_the_newest_frame_of_a_connected_sender_is_given_again_while_it_sends_nothing() -> None:
    with guarding(backup=Camera("spare", 200), lost_s=0.1) as rig:
        rig.main.connected = True
        rig.until("the main input", is_main)
        rig.main.on = False
        rig.reads_until("repeats", lambda: rig.counters["inputs_repeated"] > 30)
        assert rig.source.state.words == "main"
        first, *_, last = rig.given[-20:]
        assert np.array_equal(first.data, last.data)
        assert first.captured_ns < last.captured_ns
        rig.main.connected = False
        rig.until("the backup", is_backup)


def test_a_camera_that_hangs_is_painted_on_where_nothing_takes_its_place() -> None:
    with guarding(OnLost.HOLD, lost_s=0.1) as rig:
        rig.main.connected = True
        rig.until("the main input", is_main)
        rig.main.on = False
        before = len(rig.given)
        rig.reads_until("repeats", lambda: len(rig.given) > before + 50)
        assert rig.source.state.words == "main"


def test_the_end_of_the_only_input_is_no_loss() -> None:
    with guarding(OnLost.SLATE) as rig:
        rig.until("the main input", is_main)
        rig.main.close()
        rig.reads_until("the end", lambda: rig.source.ended)
        assert rig.counters["inputs_lost"] == 0
        assert rig.held == []


def test_an_input_that_hangs_is_lost_for_whoever_looks() -> None:
    with guarding(OnLost.SLATE) as rig:
        rig.until("the main input", is_main)
        rig.clock.advance(LOST_S)  # and no read returns
        assert rig.source.look().fault is Fault.LOST
        assert rig.held == [True]


@contextmanager
def threaded(backup: Camera | None = None) -> Iterator[tuple[Failover, Camera, Counters, list[Frame]]]:
    """The same on the inputs' own threads, by the real clock."""
    main, counters, given = Camera("main", 40), Counters(), list[Frame]()
    source = Failover(main, Policy(OnLost.BACKUP, LOST_S, return_s=0.5, fade_s=0.0), counters, backup=backup)
    source.start(given.append)
    try:
        yield source, main, counters, given
    finally:
        source.close()


def test_the_backup_takes_over_on_its_own_thread() -> None:
    with threaded(Camera("spare", 200)) as (_, main, _, given):
        eventually("the main input", lambda: any(map(is_main, given)))
        main.on = False
        eventually("the backup", lambda: is_backup(given[-1]))


def test_what_nobody_foresaw_costs_a_frame() -> None:
    with threaded() as (_, main, counters, given):
        eventually("the main input", lambda: given)
        main.error = ValueError("not a VideoError")
        eventually("the count", lambda: counters["reads_failed"] == 1)
        before = len(given)
        eventually("the main input", lambda: len(given) > before + 3)
        assert all(map(is_main, given))


def test_close_ends_every_input_and_its_thread() -> None:
    spare = Camera("spare", 200)
    with threaded(spare) as (source, main, _, given):
        eventually("the main input", lambda: given)
        main.on = False
        source.close()
        assert source.ended
        assert main.ended
        assert spare.ended
        assert not any(reader._thread.is_alive() for reader in source._readers.values())
        source.close()
