"""Memory between processes: what is lent comes back, once, and only when nobody looks at it any more."""

from __future__ import annotations

import gc
import multiprocessing
from itertools import pairwise
from multiprocessing.connection import Connection

import numpy as np

from sdv2_live.system.shm import ALIGN, BufferPool, Segment


def write_into(connection: Connection) -> None:
    size, name = connection.recv()
    segment = Segment.receive(connection, size, name)
    segment.rows(64, 2, 8)[:] = 7
    connection.send("written")
    connection.recv()


def test_both_processes_see_the_same_and_nothing_is_left_of_it_in_the_file_system() -> None:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=write_into, args=(theirs,), daemon=True)
    process.start()
    segment = Segment(4096)
    ours.send((segment.size, segment.name))
    segment.send(ours)
    assert ours.poll(30)
    assert ours.recv() == "written"
    assert np.array_equal(segment.rows(64, 2, 8), np.full((2, 8), 7))
    assert not segment.rows(0, 1, 64).any()
    process.kill()
    process.join()
    assert np.array_equal(segment.rows(64, 2, 8), np.full((2, 8), 7))  # the other's end takes nothing away


def test_a_place_is_free_again_when_no_view_is_left() -> None:
    slots = BufferPool(2, 100)
    first, second = slots.acquire(5)
    assert slots.acquire(1) == []
    rows = slots.rows(first, 10, 10)
    half = rows[:5]
    del rows
    gc.collect()
    assert slots.acquire(1) == []
    del half
    gc.collect()
    assert slots.acquire(2) == [first]
    slots.release(second)
    assert slots.acquire(2) == [second]


def test_places_do_not_overlap_and_begin_at_cache_lines() -> None:
    slots = BufferPool(3, ALIGN + 1)
    offsets = sorted(slots.acquire(3))
    assert [b - a for a, b in pairwise(offsets)] == [2 * ALIGN, 2 * ALIGN]
    assert slots.segment.size >= offsets[-1] + ALIGN + 1


def test_pictures_outlive_their_places_owner() -> None:
    slots = BufferPool(1, 16)
    rows = slots.rows(slots.acquire(1)[0], 4, 4)
    del slots
    gc.collect()
    assert rows.sum() == 0
