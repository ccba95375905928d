"""Each input frame is copied once, and its place is used again when its chunk is painted, not before; a picture's place is, when
nobody has the picture any more."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from support.fakes import fake_frame

from sdv2_live.frame import Frame
from sdv2_live.system.shm import Segment
from sdv2_live.worker.buffers import CHUNK, INPUT_PLACES, OUTPUT_PLACES, InputBuffers, OutputBuffers
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
    inlet, first, second = InputBuffers(shared.append), frames(1, 4), frames(5, 4)
    early = inlet.place(first[:2])
    shared[0].rows(early[0].offset or 0, 16, 64)[:] = 99  # would be undone by a second copy
    places, painted = inlet.chunk(first)
    assert places[:2] == early
    assert seen(shared[0], places) == [99, 2, 3, 4]
    others = inlet.place(second)  # of the next chunk, while this one is painted
    assert not {at.offset for at in others} & {at.offset for at in places}
    assert seen(shared[0], places) == [99, 2, 3, 4]
    painted()
    places, _ = inlet.chunk(second)
    assert places == others
    assert seen(shared[0], places) == [5, 6, 7, 8]
    assert len(shared) == 1


def test_places_last_for_ever_with_two_chunks_in_flight_and_one_to_come() -> None:
    shared: list[Segment] = []
    inlet, flight = InputBuffers(shared.append), deque[tuple[tuple[FrameAt, ...], Callable[[], None], int]]()
    for i in range(0, 50 * INPUT_PLACES, 20):
        inlet.place(frames(i, 3))  # given up for the next
        flight.append((*inlet.chunk(frames(i + 5, 13)), i + 5))
        if len(flight) == 3:
            places, painted, first = flight.popleft()
            assert seen(shared[-1], places) == [j % 256 for j in range(first, first + 13)]
            painted()
    assert len(shared) == 1


def test_larger_frames_get_larger_places_all_of_the_chunk() -> None:
    shared: list[Segment] = []
    inlet, chunk = InputBuffers(shared.append), [*frames(1, 2), *frames(3, 2, 32)]
    inlet.place(chunk[:2])
    places, painted = inlet.chunk(chunk)
    assert seen(shared[1], places) == [1, 2, 3, 4]
    inlet.chunk(frames(5, 1, 64))
    assert seen(shared[1], places) == [1, 2, 3, 4]  # its places are its own, wherever the next ones are
    painted()
    assert len(shared) == 3


def test_places_of_pictures_come_back_when_nobody_has_them_any_more() -> None:
    shared: list[Segment] = []
    output, picture = OutputBuffers(shared.append), fake_frame(7, 16, 16)
    assert output.lend().free == []  # nobody knows yet how large pictures are
    output.picture_bytes = picture.data.nbytes
    loan = output.lend()
    lent = list(loan.free)
    assert len(lent) == CHUNK
    places = [FrameAt.of(picture, lent[0]), FrameAt.of(picture)]
    shared[0].rows(lent[0], 16, 64)[:] = 9
    pictures = loan.pictures(places, [picture.data])
    loan.close()
    assert [int(frame.data[0, 0]) for frame in pictures] == [9, 7]
    others = [output.lend().free for _ in range(OUTPUT_PLACES // CHUNK)]
    assert [len(free) for free in others] == [CHUNK] * (len(others) - 1) + [CHUNK - 1]
    assert all(lent[0] not in free for free in others)
    del pictures
    assert output.lend().free == lent[:1]
