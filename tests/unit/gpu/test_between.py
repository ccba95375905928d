"""Moved pictures: nearer to the true ones than repeats are, at the ticks of the output's rate, and none across a cut."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from support.reference import random_frame

from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.gpu.between import Between
from sdv2_live.gpu.motion import between, movement
from sdv2_live.gpu.resample import resize_bytes

SIZE = (96, 128)
MS = 1_000_000


def scene(x: float, y: float = 0.0, seed: int = 0) -> torch.Tensor:
    """A smooth texture (96, 128), 0..1, moved to the right and down by so many pixels."""
    rows, columns = torch.arange(SIZE[0])[:, None] - y, torch.arange(SIZE[1]) - x
    random = np.random.default_rng(seed)
    waves = [
        amount * torch.sin(columns * fx + rows * fy + phase)
        for amount, fx, fy, phase in random.uniform((0.3, -0.35, -0.35, 0), (1, 0.35, 0.35, 6), (12, 4))
    ]
    return (torch.stack(waves).sum(0) / 12 + 0.5).clamp(0, 1).float()


def bytes_of(luma: torch.Tensor, format: PixelFormat) -> torch.Tensor:
    codes = (luma * 219 + 16).round().to(torch.uint8)
    if format is PixelFormat.UYVY:
        return torch.stack([torch.full_like(codes, 128), codes], -1).flatten(1)
    return torch.stack([codes, codes, codes, torch.full_like(codes, 255)], -1).flatten(1)


def frames(*times_ms: float, format: PixelFormat = PixelFormat.BGRX) -> list[Frame]:
    frame = random_frame(*SIZE, format)
    return [frame.at(rate=Fraction(30), captured_ns=int(ms * MS), index=i) for i, ms in enumerate(times_ms)]


def error(one: torch.Tensor, other: torch.Tensor) -> float:
    """RMS, away from the edges over which something new comes in."""
    return float((one - other)[..., 10:-10, 10:-10].square().mean().sqrt())


@pytest.mark.parametrize(("x", "y"), [(1.0, 0.5), (6.0, -4.0), (-11.0, 3.0)])
def test_the_movement_is_found_and_the_picture_between_is_where_it_belongs(x: float, y: float) -> None:
    first, second = scene(0)[None], scene(x, y)[None]
    moves = movement(torch.stack([first, second]))
    size = torch.tensor([SIZE[1], SIZE[0]])
    found = (moves.there[0, :, 16:-16, 16:-16] * size[:, None, None]).mean((1, 2))
    assert torch.allclose(found, torch.tensor([x, y]), atol=0.3)
    assert not moves.cut.any()
    for share in (0.25, 0.5, 0.8):
        true = scene(share * x, share * y)[None]
        made = between(first, second, moves, 0, share)
        assert error(made, true) < 0.3 * min(error(first, true), error(second, true))


def test_what_stands_still_stays_and_another_scene_is_a_cut() -> None:
    still = movement(torch.stack([scene(0)[None]] * 3))
    assert torch.allclose(between(scene(0)[None], scene(0)[None], still, 1, 0.5), scene(0)[None], atol=1e-5)
    assert not still.cut.any()
    hard = torch.stack([scene(0)[None], scene(2)[None], 1 - scene(5, seed=3)[None] * 0.4])
    assert movement(hard).cut.tolist() == [False, True]


@pytest.mark.parametrize("format", [PixelFormat.UYVY, PixelFormat.BGRX])
def test_the_output_has_a_picture_at_each_tick(format: PixelFormat) -> None:
    """30 frames a second become 60: those that were painted, as they are, and moved ones between them."""
    make = Between(60, format)
    luma = [scene(3.0 * i) for i in range(8)]
    painted = torch.stack([bytes_of(one, format) for one in luma])
    like = frames(*(100 * i / 3 for i in range(8)), format=format)
    shown, places = make(painted[:4], like[:4])
    more, further = make(painted[4:], like[4:])
    assert [round(place.captured_ns / MS, 1) for place in (*places, *further)] == [round(1000 * i / 60, 1) for i in range(15)]
    assert {place.rate for place in places} == {60}
    pictures = [*shown, *more]
    assert all(torch.equal(pictures[2 * i], painted[i]) for i in range(8))
    for i in range(7):
        true = bytes_of(scene(3.0 * i + 1.5), format)
        moved, repeated = (
            (each.view(SIZE[0], -1)[:, 40:-40].float() - true[:, 40:-40]).square().mean()
            for each in (pictures[2 * i + 1], painted[i])
        )
        assert moved < 0.1 * repeated
    if format is PixelFormat.BGRX:
        assert all((picture[:, 3::4] == 255).all() for picture in pictures)


def test_any_rate_of_paintings_gives_a_steady_rate_of_pictures() -> None:
    make = Between(60, PixelFormat.BGRX)
    painted = torch.stack([bytes_of(scene(i), PixelFormat.BGRX) for i in range(4)])
    times: list[int] = []
    for chunk in range(6):
        jitter = [(7 * (4 * chunk + i)) % 5 for i in range(4)]
        like = frames(*(1000 * (4 * chunk + i) / 24 + late for i, late in enumerate(jitter)))
        times += [place.captured_ns for place in make(painted, like)[1]]
    assert len(times) in (56, 57, 58)
    assert set(np.diff(times)) <= {16_666_666, 16_666_667}


def test_a_cut_a_long_pause_and_a_new_stream_have_nothing_between() -> None:
    make = Between(60, PixelFormat.BGRX)
    scenes = [bytes_of(one, PixelFormat.BGRX) for one in (scene(0), 1 - scene(5, seed=3) * 0.4)]
    shown, _ = make(torch.stack(scenes), frames(0, 100))
    assert all(any(torch.equal(picture, one) for one in scenes) for picture in shown)
    assert len(shown) == 7
    shown, places = make(torch.stack(scenes), frames(5100, 15000))
    assert [place.captured_ns // MS for place in places] == [5100, 15000]
    assert [torch.equal(picture, one) for picture, one in zip(shown, scenes, strict=True)] == [True, True]
    make.forget()
    assert len(make(torch.stack(scenes[:1]), frames(15100))[0]) == 1
    other = resize_bytes(scenes[0].view(1, *SIZE, 4), (48, 64)).flatten(2)
    assert make(other, frames(15133))[0].shape[1:] == (48, 256)  # the output became smaller


def test_fewer_pictures_than_paintings() -> None:
    make = Between(25, PixelFormat.BGRX)
    painted = torch.stack([bytes_of(scene(i), PixelFormat.BGRX) for i in range(4)])
    counts = [len(make(painted, frames(*(1000 * (4 * chunk + i) / 60 for i in range(4))))[0]) for chunk in range(6)]
    assert sum(counts) == 10
