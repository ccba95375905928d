"""An input that does not fail: cameras that are switched off and on while frames are read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
import pytest
from support.waiting import DEADLINE_S, eventually

from sdv2_live.config.choices import OnLost
from sdv2_live.errors import VideoError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.base import Source
from sdv2_live.io.texture import TextureSource
from sdv2_live.live.failover import FailoverSource
from sdv2_live.live.input_health import Fault
from sdv2_live.live.input_policy import ActiveInput, Policy
from sdv2_live.stats import Counters
from sdv2_live.system.clock import monotonic_ns

LOST_S = 0.3
NEVER_S = 60.0  # where no pause of a busy machine may be taken for a loss


class Camera(Source):
    """A hundred frames a second of one grey, with noise unless `still`; `on` says whether it gives any."""

    def __init__(self, name: str, value: int, height: int = 32, width: int = 48, format: PixelFormat = PixelFormat.RGBX) -> None:
        self.name, self.value, self.size, self.format = name, value, (height, width), format
        self.on, self.still, self.connected = True, False, False
        self.error: Exception | None = None
        self._random = np.random.default_rng(value)
        self._stop = threading.Event()
        self._given = 0

    def read(self, timeout: float) -> Frame | None:
        if self._stop.wait(0.01) or not self.on:
            return None
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        height, width = self.size
        data = np.full((height, width * self.format.bytes_per_pixel), self.value, np.uint8)
        if not self.still:
            data += self._random.integers(0, 3, data.shape, np.uint8)
        self._given += 1
        return Frame(data, width, height, self.format, Fraction(100), monotonic_ns(), self._given)

    @property
    def linked(self) -> bool:
        return self.connected

    @property
    def ended(self) -> bool:
        return self._stop.is_set()

    def close(self) -> None:
        self._stop.set()


class Rig:
    """A guarded camera, 40 of 255, with a backup, 200; `select` as the performer set it."""

    def __init__(self, backup: Camera | None, texture: Source | None, policy: Policy) -> None:
        self.main, self.backup = Camera("main", 40), backup
        self.counters = Counters()
        self.select = "auto"
        self.held: list[bool] = []
        self.source = FailoverSource(
            self.main,
            policy,
            self.counters,
            backup=backup,
            texture=texture,
            select=lambda: self.select,
            on_held=self.held.append,
        )
        self.given: list[Frame] = []

    def until(self, what: str, wanted: object) -> Frame:
        """Read until a frame is like that."""
        return eventually(what, lambda: next(filter(wanted, self.read()), None))  # type: ignore[arg-type]

    def read(self) -> list[Frame]:
        frame = self.source.read(0.05)
        self.given += [frame] if frame is not None else []
        return [frame] if frame is not None else []

    def shows(self, shown: ActiveInput) -> None:
        def reached() -> bool:
            self.read()
            return self.source.state.shown is shown

        eventually(f"{shown} to be shown", reached)


@contextmanager
def guarding(
    on_lost: OnLost = OnLost.BACKUP,
    *,
    backup: Camera | None = None,
    texture: Source | None = None,
    **policy: float,
) -> Iterator[Rig]:
    settings = {"lost_s": LOST_S, "return_s": 0.5, "fade_s": 0.0} | policy
    rig = Rig(backup, texture, Policy(on_lost, **settings))  # type: ignore[arg-type]
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
        eventually("frames", lambda: rig.read() and len(rig.given) > 20)
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
        assert waited_ns >= 0.4e9  # of return_s: the backup stayed meanwhile
        assert rig.counters["inputs_lost"] >= 1  # more where this machine stood still
        assert rig.counters["inputs_returned"] == rig.counters["inputs_lost"]
        stamps = [frame.captured_ns for frame in rig.given]
        assert stamps == sorted(set(stamps))
        assert [frame.index for frame in rig.given] == list(range(len(rig.given)))


def test_the_backup_is_read_all_the_time_and_its_newest_frame_is_at_hand() -> None:
    spare = Camera("spare", 200)
    with guarding(backup=spare, lost_s=NEVER_S) as rig:
        feed = rig.source._feeds[ActiveInput.BACKUP]
        eventually("the backup to be read", lambda: rig.read() and spare._given > 20)
        with rig.source._ready:
            assert [frame.index for frame in feed.frames] in ([spare._given], [spare._given - 1])


def test_a_main_input_that_flickers_does_not_flap() -> None:
    with guarding(backup=Camera("spare", 200), return_s=5.0) as rig:
        rig.until("the main input", is_main)
        rig.main.on = False
        rig.shows(ActiveInput.BACKUP)
        before = rig.counters["inputs_returned"]
        for _ in range(3):
            rig.main.on = True
            eventually("main to flow", lambda: rig.read() and rig.source.state.fault is None)
            rig.main.on = False
            eventually("main to be lost", lambda: rig.read() and rig.source.state.fault is Fault.LOST)
        assert rig.source.state.shown is ActiveInput.BACKUP
        assert rig.counters["inputs_returned"] == before


@pytest.mark.parametrize("format", [PixelFormat.RGBX, PixelFormat.UYVY])
def test_the_backup_comes_in_the_main_inputs_size_and_layout(format: PixelFormat) -> None:
    with guarding(backup=Camera("spare", 200, 90, 64, format)) as rig:
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


def test_hold_gives_nothing_and_goes_on_at_once() -> None:
    with guarding(OnLost.HOLD, return_s=60.0) as rig:
        rig.until("the main input", is_main)
        rig.main.on = False
        rig.shows(ActiveInput.NOTHING)
        assert rig.source.read(0.05) is None
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
        eventually("some of it", lambda: rig.read() and len(rig.given) > before + 12)
        first, *_, last = rig.given[before:]
        assert (first.size, first.format) == ((32, 48), PixelFormat.RGBX)
        assert not np.array_equal(first.data, last.data)
        assert first.data[:, :48].std() > 5


@pytest.mark.parametrize(("fault", "settings"), [(Fault.FROZEN, {"frozen_s": 0.4}), (Fault.BLACK, {"black_s": 0.4})])
def test_frozen_and_black_inputs_fail_too_where_that_is_asked_for(fault: Fault, settings: dict[str, float]) -> None:
    with guarding(backup=Camera("spare", 200), lost_s=NEVER_S, **settings) as rig:
        rig.until("the main input", is_main)
        if fault is Fault.FROZEN:
            rig.main.still = True
        else:
            rig.main.value = 0
        rig.until("the backup", is_backup)
        assert rig.source.state.fault is fault
        assert rig.counters[f"inputs_{fault.value}"] == 1
        rig.main.still, rig.main.value = False, 40
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
        eventually("nothing", lambda: rig.source.read(0.05) is None and rig.source.state.fault is Fault.LOST)
        assert rig.source.state.shown is ActiveInput.MAIN


def test_backup_without_one_is_the_main_input() -> None:
    with guarding(OnLost.HOLD) as rig:
        rig.select = "backup"
        rig.until("the main input", is_main)


def test_an_input_that_breaks_for_good_ends_the_show_only_where_there_is_no_other() -> None:
    with guarding(OnLost.HOLD) as rig:
        rig.main.error = VideoError("clip.mp4: the disk is gone")
        with pytest.raises(VideoError, match="the disk is gone"):
            eventually("the error", lambda: rig.read() and False)
        assert rig.source.ended
    with guarding(backup=Camera("spare", 200)) as rig:
        rig.until("the main input", is_main)
        rig.main.error = VideoError("clip.mp4: the disk is gone")
        rig.until("the backup", is_backup)
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
        self._stop.wait(0.14)
        self.value = 40 + 10 * (self._given % 20)
        return super().read(timeout)


def test_a_slow_input_shows_each_of_its_frames() -> None:
    """Its frames are further apart than lost_s."""
    slow = Slow("slow", 40)
    slow.still = True
    source = FailoverSource(slow, Policy(lost_s=0.1, fade_s=0.5), Counters())
    seen: list[int] = []

    def given() -> bool:
        frame = source.read(0.05)
        if frame is not None:
            seen.append(int(frame.data[0, 0]))
        return len({value for value in seen if value % 10 == 0}) >= 8

    try:
        eventually("eight of its pictures", given)
    finally:
        source.close()


def test_the_newest_frame_of_a_connected_sender_is_given_again_while_it_sends_nothing() -> None:
    with guarding(backup=Camera("spare", 200), lost_s=0.1) as rig:
        rig.main.connected = True
        rig.until("the main input", is_main)
        rig.main.on = False
        eventually("repeats", lambda: rig.read() and rig.counters["inputs_repeated"] > 30)
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
        eventually("repeats", lambda: rig.read() and len(rig.given) > before + 50)
        assert rig.source.state.words == "main"


def test_what_nobody_foresaw_costs_a_frame() -> None:
    with guarding(OnLost.HOLD) as rig:
        rig.until("the main input", is_main)
        rig.main.error = ValueError("not a VideoError")
        eventually("the count", lambda: rig.read() and rig.counters["reads_failed"] == 1)
        rig.until("the main input", is_main)


def test_close_ends_every_input_and_wakes_a_reader() -> None:
    spare = Camera("spare", 200)
    with guarding(backup=spare) as rig:
        rig.until("the main input", is_main)
        rig.main.on = False
        reader = threading.Thread(target=lambda: rig.source.read(30))
        reader.start()
        rig.source.close()
        reader.join(DEADLINE_S)
        assert not reader.is_alive()
        assert rig.main.ended
        assert spare.ended
        rig.source.close()
