"""Places for input frames: each frame is copied once, and its place is used again when its chunk is painted, not before."""

from __future__ import annotations

from fakes import fake_frame

from sdv2_live.frame import Frame
from sdv2_live.worker.inlet import PLACES, Inlet
from sdv2_live.worker.memory import Segment
from sdv2_live.worker.messages import FrameAt


def frames(first: int, count: int, side: int = 16) -> list[Frame]:
    return [fake_frame(i, side, side) for i in range(first, first + count)]


def seen(segment: Segment, places: tuple[FrameAt, ...]) -> list[int]:
    """What the other process would see, as one byte of each frame."""
    rows = [segment.rows(at.offset or 0, at.height, at.stride) for at in places]
    assert all((frame == frame[0, 0]).all() for frame in rows)
    return [int(frame[0, 0]) for frame in rows]


def test_a_frame_is_copied_once_and_stays_until_its_chunk_is_painted() -> None:
    shared: list[Segment] = []
    inlet, first, second = Inlet(shared.append), frames(1, 4), frames(5, 4)
    early = inlet.place(first[:2])
    shared[0].rows(early[0].offset or 0, 16, 64)[:] = 99  # would be undone by a second copy
    with inlet.chunk(first) as places:
        assert places[:2] == early
        assert seen(shared[0], places) == [99, 2, 3, 4]
        others = inlet.place(second)  # of the next chunk, while this one is painted
        assert not {at.offset for at in others} & {at.offset for at in places}
        assert seen(shared[0], places) == [99, 2, 3, 4]
    with inlet.chunk(second) as places:
        assert places == others
        assert seen(shared[0], places) == [5, 6, 7, 8]
    assert len(shared) == 1


def test_places_last_for_ever_whatever_becomes_of_a_chunk() -> None:
    shared: list[Segment] = []
    inlet = Inlet(shared.append)
    for i in range(5 * PLACES):
        inlet.place(frames(10 * i, 3))  # given up for the next
        try:
            with inlet.chunk(frames(10 * i + 5, 5)) as places:
                assert seen(shared[-1], places) == [j % 256 for j in range(10 * i + 5, 10 * i + 10)]
                if i % 2:
                    raise RuntimeError
        except RuntimeError:
            pass
    assert len(shared) == 1


def test_larger_frames_get_larger_places_all_of_the_chunk() -> None:
    shared: list[Segment] = []
    inlet, chunk = Inlet(shared.append), [*frames(1, 2), *frames(3, 2, 32)]
    inlet.place(chunk[:2])
    with inlet.chunk(chunk) as places:
        assert seen(shared[1], places) == [1, 2, 3, 4]
        with inlet.chunk(frames(5, 1, 64)):  # that chunk's places are its own, wherever the next ones are
            assert seen(shared[1], places) == [1, 2, 3, 4]
    assert len(shared) == 3
