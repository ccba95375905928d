from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from support.fakes import FakeClock, fake_frame
from support.waiting import eventually

from sdv2_live.errors import DeviceError, VideoError
from sdv2_live.frame import Frame
from sdv2_live.io.base import Sink
from sdv2_live.io.open import NullSink, open_sink
from sdv2_live.live.outputs import HANG_S, Follower, Outputs, counted, opened
from sdv2_live.stats import Fill


class Screen(Sink):
    """An output that can be made to hang, to fail and to be away. `all` holds every one that was opened."""

    def __init__(self, name: str, *, live: bool = True) -> None:
        self.name, self.live, self.full_name = name, live, name
        self.sent: list[int] = []
        self.closed = 0
        self.go_on = threading.Event()
        self.go_on.set()
        self.broken = self.unwatched = False

    def send(self, frame: Frame) -> None:
        assert self.go_on.wait(60)
        if self.broken:
            raise VideoError(f"{self.name} broke; mend it")
        self.sent.append(frame.index)

    @property
    def watched(self) -> bool:
        return not self.unwatched

    def close(self) -> None:
        self.closed += 1


class Machine:
    """Opens screens by name; those in `away` cannot be had."""

    def __init__(self) -> None:
        self.screens: list[Screen] = []
        self.away: set[str] = set()

    def open(self, spec: str) -> Sink:
        if ":" not in spec:
            return open_sink(spec)
        if spec in self.away:
            raise DeviceError(f"there is no {spec}; plug it in")
        self.screens.append(Screen(spec, live=not spec.startswith("file:")))
        return self.screens[-1]


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def closing(machine: Machine) -> Iterator[Callable]:
    things: list[Sink] = []

    def register(thing: Sink) -> Sink:
        things.append(thing)
        return thing

    yield register
    for screen in machine.screens:
        screen.go_on.set()
    for thing in things:
        thing.close()


def sends(sink: Sink, *indices: int) -> None:
    for index in indices:
        sink.send(fake_frame(index))


def test_one_output_is_opened_as_it_is(machine: Machine) -> None:
    assert opened(["a:1"], machine.open) is machine.screens[0]
    assert machine.screens[0].members == machine.screens[0].opened == (machine.screens[0],)


def test_all_outputs_get_the_picture(machine: Machine, closing: Callable) -> None:
    outputs = closing(opened(["a:1", "b:2", "c:3"], machine.open))
    assert outputs.name == "a:1, b:2, c:3"
    assert [one.full_name for one in outputs.members] == ["a:1", "b:2", "c:3"]
    for index in range(3):
        sends(outputs, index)
        eventually("each to have it", lambda index=index: all(screen.sent[-1:] == [index] for screen in machine.screens))
    outputs.close()
    assert [screen.closed for screen in machine.screens] == [1, 1, 1]


def test_an_output_that_hangs_holds_nothing_up_and_gets_the_newest_picture(machine: Machine, closing: Callable) -> None:
    outputs = closing(opened(["a:1", "b:2", "c:3"], machine.open))
    first, slow, third = machine.screens
    slow.go_on.clear()
    sends(outputs, 0)
    eventually("it to begin", lambda: outputs.queues == {"output_2": Fill(0, 1), "output_3": Fill(0, 1)})
    for index in range(1, 6):
        sends(outputs, index)
        eventually("the third to have it", lambda index=index: third.sent[-1:] == [index])
    assert first.sent == [0, 1, 2, 3, 4, 5]
    assert counted([], outputs.members) == {"inputs_dropped": 0, "outputs_dropped": 4, "outputs_failed": 0}
    assert outputs.queues["output_2"] == Fill(1, 1)
    slow.go_on.set()
    eventually("the newest", lambda: slow.sent == [0, 5])


def test_at_the_end_no_output_waits_for_one_that_hangs(machine: Machine, closing: Callable) -> None:
    outputs = closing(opened(["a:1", "b:2", "c:3"], machine.open))
    first, slow, third = machine.screens
    slow.go_on.clear()
    sends(outputs, 0)
    end = threading.Thread(target=outputs.close)
    end.start()
    eventually("the others to be closed", lambda: first.closed == third.closed == 1)
    assert slow.closed == 0
    slow.go_on.set()
    end.join()
    assert slow.closed == 1


def test_an_output_that_hangs_is_named(machine: Machine, closing: Callable, caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    follower = closing(Follower("b:2", machine.open, clock.now))
    machine.screens[0].go_on.clear()
    sends(follower, 0)
    eventually("it to begin", lambda: follower.queue.length == 0)
    sends(follower, 1)
    clock.advance(HANG_S + 1)
    sends(follower, 2, 3)
    assert follower.trouble == "has taken no frame for 5 s: it hangs"
    assert caplog.text.count("it hangs") == 1
    machine.screens[0].go_on.set()
    eventually("its end", lambda: not follower.trouble)


def test_an_output_that_fails_disturbs_no_other_and_comes_back(
    machine: Machine, closing: Callable, caplog: pytest.LogCaptureFixture
) -> None:
    outputs = closing(opened(["a:1", "b:2"], machine.open))
    machine.screens[1].broken = True
    machine.away.add("b:2")
    sends(outputs, 0)
    eventually("the failure", lambda: outputs.members[1].trouble == "there is no b:2; plug it in")
    assert "b:2: b:2 broke; mend it; it is tried again and again; the other outputs go on" in caplog.text
    assert machine.screens[1].closed == 1
    sends(outputs, 1)
    assert machine.screens[0].sent == [0, 1]
    machine.away.clear()
    eventually("a new one", lambda: len(machine.screens) == 3)
    eventually("the newest picture", lambda: sends(outputs, 2) or machine.screens[2].sent)
    eventually("its end", lambda: outputs.members[1].trouble == "")
    assert counted([], outputs.members)["outputs_failed"] >= 2


def test_an_output_that_is_not_there_yet_is_no_error_but_a_wrong_one_is(machine: Machine, closing: Callable) -> None:
    machine.away.add("b:2")
    outputs = closing(opened(["a:1", "b:2"], machine.open))
    assert outputs.members[1].trouble == "there is no b:2; plug it in"
    assert not outputs.members[1].watched
    assert outputs.opened == (machine.screens[0],)
    machine.away.clear()
    eventually("it to be there", lambda: len(outputs.opened) == 2)
    with pytest.raises(VideoError, match="is no video sink"):
        opened(["a:1", "nonsense"], machine.open)
    assert machine.screens[-1].closed == 1
    machine.away.add("a:1")
    with pytest.raises(DeviceError, match="there is no a:1"):
        opened(["a:1", "b:2"], machine.open)


def test_a_recording_that_failed_is_not_begun_again(machine: Machine, closing: Callable) -> None:
    outputs = closing(opened(["a:1", "file:2"], machine.open))
    assert outputs.live
    machine.screens[1].broken = True
    sends(outputs, 0)
    eventually("the failure", lambda: outputs.members[1].trouble)
    sends(outputs, 1, 2)
    outputs.close()
    assert len(machine.screens) == 2


def test_the_picture_is_made_as_long_as_one_is_watched(machine: Machine, closing: Callable) -> None:
    outputs = closing(opened(["a:1", "b:2"], machine.open))
    first, second = machine.screens
    first.unwatched = True
    assert outputs.watched
    sends(outputs, 0)
    eventually("the second to have it", lambda: second.sent == [0])
    assert first.sent == []
    second.unwatched = True
    sends(outputs, 1)
    eventually("nobody to look", lambda: not outputs.watched)


def test_the_first_ones_failure_is_the_playouts_to_tell(machine: Machine, closing: Callable) -> None:
    outputs = closing(opened(["a:1", "b:2"], machine.open))
    machine.screens[0].broken = True
    with pytest.raises(VideoError, match="a:1 broke"):
        sends(outputs, 0)
    eventually("the second to have it", lambda: machine.screens[1].sent == [0])


def test_recordings_alone_begin_with_the_paintings(machine: Machine, closing: Callable) -> None:
    assert not closing(opened(["file:a", "file:b"], machine.open)).live
    assert not Outputs(Screen("file:a", live=False), []).live
    assert Outputs(NullSink(), []).live
