"""Detail of the input in a painted picture: crisp where it was soft, with the painting's own contrast and colours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from support.reference import random_frame, solid_rgb_frame, to_rgb

from sdv2_live.frame import ColorRange, ColorSpec, Frame, PixelFormat
from sdv2_live.gpu.detail import CORE, LIMIT
from sdv2_live.gpu.geometry import Fit
from sdv2_live.gpu.postprocess import Postprocessor
from sdv2_live.gpu.preprocess import Preprocessor

SMALL, LARGE = (48, 80), (288, 480)  # what is painted, and what comes in and goes out


def drawing(height: int = LARGE[0], width: int = LARGE[1]) -> np.ndarray:
    """Grey lines and edges, all finer than the model's size can hold: uint8 (height, width)."""
    image = Image.new("L", (width, height), 120)
    draw = ImageDraw.Draw(image)
    draw.ellipse((width // 8, height // 6, width // 2, height * 5 // 6), 190)
    for x in range(0, width, 24):
        draw.line((x, 0, width - x, height), 80 if x % 48 else 170, 2)
    return np.asarray(image)


def grey(codes: np.ndarray, format: PixelFormat = PixelFormat.BGRX, color: ColorSpec = ColorSpec()) -> Frame:  # noqa: B008
    if format is not PixelFormat.UYVY:
        return solid_rgb_frame(codes[..., None].repeat(3, 2), format)
    luma = codes if color.range is ColorRange.FULL else np.rint(codes * (219 / 255) + 16).astype(np.uint8)
    return Frame(
        np.stack([np.full_like(luma, 128), luma], -1).reshape(len(luma), -1), luma.shape[1], len(luma), format, color=color
    )


def seen(frame: Frame, size: tuple[int, int] = SMALL, fit: Fit = Fit.FILL) -> torch.Tensor:
    return Preprocessor(size, fit=fit).chunk([frame])


def soft(pixels: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.avg_pool2d(pixels[0, :, 0], 5, 1, 2, count_include_pad=False)[None, :, None]


def shown(
    painted: torch.Tensor, frame: Frame, detail: float, post: Postprocessor, pixels: torch.Tensor | None = None
) -> np.ndarray:
    pixels = seen(frame, tuple(painted.shape[-2:])) if pixels is None else pixels  # type: ignore[arg-type]
    (picture,) = post(painted, [frame], post.guide([frame], pixels), detail)
    return to_rgb(picture)


def off(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).mean())


@pytest.mark.parametrize("format", PixelFormat)
@pytest.mark.parametrize("output", [PixelFormat.BGRX, PixelFormat.UYVY])
def test_a_soft_painting_of_the_input_becomes_as_crisp_as_the_input(format: PixelFormat, output: PixelFormat) -> None:
    frame, post = grey(drawing(), format), Postprocessor(output, input_size=True)
    painted, wanted = soft(seen(frame)), to_rgb(frame)
    without, half, full = (off(shown(painted, frame, detail, post), wanted) for detail in (0.0, 0.5, 1.0))
    assert full < 0.35 * without
    assert full < half < without


@pytest.mark.parametrize("color", [ColorSpec(range=range_) for range_ in ColorRange], ids=str)
def test_what_a_sharp_painting_has_already_is_not_drawn_twice(color: ColorSpec) -> None:
    frame = grey(drawing(), PixelFormat.UYVY, color)
    post = Postprocessor(PixelFormat.UYVY, color=color, input_size=True)
    picture = shown(seen(frame), frame, 1.0, post)
    assert off(picture, to_rgb(frame)) < 5
    assert picture.max() < to_rgb(frame).max() + 20  # overshoots
    assert picture.min() > to_rgb(frame).min() - 20


def test_an_inverted_painting_takes_inverted_detail() -> None:
    codes = drawing()
    frame, post = grey(codes), Postprocessor(input_size=True)
    painted, wanted = soft(-seen(frame)), 255.0 - to_rgb(frame)
    assert off(shown(painted, frame, 1.0, post), wanted) < 0.8 * off(shown(painted, frame, 0.0, post), wanted)


@pytest.mark.parametrize("output", PixelFormat)
def test_the_paintings_colours_stay(output: PixelFormat) -> None:
    hue = torch.tensor([0.3, -0.2, 0.1])[None, :, None, None, None]
    frame, post = grey(drawing()), Postprocessor(output, input_size=True)
    painted = (soft(seen(frame)) * 0.3 + hue).clamp(-0.7, 0.7)
    without, full = (shown(painted, frame, detail, post) for detail in (0.0, 1.0))
    assert off(without, full) > 3
    for channels in ((0, 1), (1, 2)):
        hues = (picture[..., channels[0]] - picture[..., channels[1]] for picture in (without, full))
        assert np.abs(np.subtract(*hues)).max() < 5  # bytes of 4:2:2 chroma among them


def test_no_byte_changes_by_more_than_a_halo_may() -> None:
    frame, post = random_frame(*LARGE, PixelFormat.BGRX), Postprocessor(input_size=True)
    painted = torch.zeros(1, 3, 1, *SMALL)
    change = shown(painted, frame, 1.0, post) - shown(painted, frame, 0.0, post)
    assert LIMIT - 2 <= np.abs(change).max() <= LIMIT + 1


def test_noise_of_a_code_or_two_is_not_carried() -> None:
    codes = (100 + np.random.default_rng(0).integers(-1, 2, LARGE)).astype(np.uint8)
    frame, post = grey(codes), Postprocessor(input_size=True)
    painted = soft(seen(grey(drawing())))
    change = shown(painted, frame, 1.0, post) - shown(painted, frame, 0.0, post)
    assert CORE > 1
    assert np.abs(change).max() <= 2  # which the resizing of bytes is off by


@pytest.mark.parametrize("fit", Fit)
@pytest.mark.parametrize("large", [(180, 480), (480, 180), (300, 300)])
def test_detail_lies_where_the_painting_lies_whatever_was_cropped(fit: Fit, large: Any) -> None:
    """One bright spot: its painting and its detail have one centre."""
    codes = np.full(large, 40, np.uint8)
    codes[large[0] // 2 - 5 : large[0] // 2 + 11, large[1] // 2 + 9 : large[1] // 2 + 25] = 200
    frame, post = grey(codes), Postprocessor(fit=fit, input_size=True)
    pixels = seen(frame, (64, 64), fit)
    without, full = (shown(soft(pixels), frame, detail, post, pixels)[..., 0] - 40 for detail in (0.0, 1.0))
    for axis in (0, 1):
        places = np.arange(large[1 - axis])
        centres = [float((picture.clip(20).sum(axis) - picture.clip(20).sum(axis).min()) @ places) for picture in (without, full)]
        weights = [float((picture.clip(20).sum(axis) - picture.clip(20).sum(axis).min()).sum()) for picture in (without, full)]
        assert abs(centres[0] / weights[0] - centres[1] / weights[1]) < 1


def test_at_the_models_size_it_sharpens_what_the_model_saw() -> None:
    frame, post = grey(drawing()), Postprocessor()
    pixels = seen(frame)
    wanted = to_rgb(post(pixels, [frame])[0])
    without, full = (off(shown(soft(pixels), frame, detail, post), wanted) for detail in (0.0, 1.0))
    assert full < 0.6 * without


@pytest.mark.parametrize("format", PixelFormat)
def test_none_of_it_is_the_same_bytes(format: PixelFormat) -> None:
    frame, post = random_frame(*LARGE, PixelFormat.UYVY), Postprocessor(format, input_size=True)
    pixels = seen(frame)
    guide = post.guide([frame], pixels)
    assert np.array_equal(post(pixels, [frame], guide, 0.0)[0].data, post(pixels, [frame])[0].data)
    assert np.array_equal(post(pixels, [frame], None, 1.0)[0].data, post(pixels, [frame])[0].data)


def test_a_chunk_whose_input_changes_has_no_guide() -> None:
    post = Postprocessor(input_size=True)
    for other in (random_frame(90, 160, PixelFormat.BGRX), random_frame(*LARGE, PixelFormat.UYVY)):
        frames = [random_frame(*LARGE, PixelFormat.BGRX), other]
        assert post.guide(frames, Preprocessor(SMALL).chunk(frames)) is None


def test_a_guide_does_not_change_with_the_frames_memory() -> None:
    """In an engine's process the next chunk's frames take it, before the pictures of stream_batch are made."""
    for format in PixelFormat:
        frame, post = random_frame(*LARGE, format), Postprocessor(input_size=True)
        guide = post.guide([frame], seen(frame))
        assert guide is not None
        before = guide.full.clone()
        frame.data[:] = 0
        assert torch.equal(guide.full, before)


@pytest.mark.parametrize("size", [(16, 16), (16, 32)])
@pytest.mark.parametrize("large", [(1, 2), (7, 202), (33, 2), (20, 30)])
def test_any_size_goes(size: Any, large: Any) -> None:
    for format in PixelFormat:
        frame = random_frame(large[0], large[1], format)
        for fit in Fit:
            for output in (PixelFormat.UYVY, PixelFormat.RGBX):
                post = Postprocessor(output, fit=fit, input_size=True)
                picture = shown(torch.zeros(1, 3, 1, *size), frame, 1.0, post)
                assert picture.shape[:2] == large
