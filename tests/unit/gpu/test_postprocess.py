from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.reference import COLORS, random_frame, solid_rgb_frame, to_rgb

from sdv2_live.errors import EngineError
from sdv2_live.frame import ColorRange, ColorSpec, Frame, PixelFormat
from sdv2_live.gpu.color import code_limits
from sdv2_live.gpu.geometry import Fit
from sdv2_live.gpu.postprocess import Postprocessor
from sdv2_live.gpu.preprocess import Preprocessor

BARS = np.array([[r, g, b] for r in (0, 255) for g in (0, 255) for b in (0, 255)], np.uint8)
RGB_FORMATS = [format for format in PixelFormat if format is not PixelFormat.UYVY]


def bars(height: int = 32, bar: int = 16) -> np.ndarray:
    """Black, white and the six pure colours in vertical bars: uint8 (height, 8 * bar, 3)."""
    return np.broadcast_to(np.repeat(BARS, bar, 0), (height, 8 * bar, 3))


def pixels_of(rgb: np.ndarray) -> torch.Tensor:
    return Preprocessor(rgb.shape[:2])(solid_rgb_frame(rgb))


def noise(*shape: int, scale: float = 2.4) -> torch.Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(0)) - 0.5) * scale


def like(count: int, height: int = 36, width: int = 64) -> list[Frame]:
    frame = random_frame(height, width, PixelFormat.BGRX)
    return [frame.at(rate=Fraction(30000, 1001), captured_ns=1000 + i, index=7 + i) for i in range(count)]


@pytest.mark.parametrize("format", PixelFormat)
def test_frames_carry_what_their_input_frames_had(format: PixelFormat) -> None:
    out = Postprocessor(format)(noise(1, 3, 4, 32, 48), like(4))
    assert [(f.rate, f.captured_ns, f.index) for f in out] == [(Fraction(30000, 1001), 1000 + i, 7 + i) for i in range(4)]
    for frame in out:
        assert (frame.size, frame.format) == ((32, 48), format)
        assert frame.data.dtype == np.uint8
        assert frame.data.flags.c_contiguous


def test_a_chunk_is_its_frames_one_by_one() -> None:
    pixels = noise(1, 3, 4, 32, 48)
    for format in (PixelFormat.BGRX, PixelFormat.UYVY):
        post = Postprocessor(format)
        for i, frame in enumerate(post(pixels, like(4))):
            assert np.array_equal(frame.data, post(pixels[0, :, i], like(1))[0].data)


@pytest.mark.parametrize("format", RGB_FORMATS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_bytes_round_half_to_even_and_clamp(format: PixelFormat, dtype: torch.dtype) -> None:
    pixels = noise(3, 16, 24).to(dtype)
    before = pixels.clone()
    frame = Postprocessor(format)(pixels, like(1))[0]
    expected = np.rint(np.clip((pixels.float().numpy() + 1) * np.float32(127.5), 0, 255))
    assert np.array_equal(to_rgb(frame), expected.transpose(1, 2, 0))
    assert (frame.data[:, 3::4] == 255).all()
    assert torch.equal(pixels, before)


def test_every_code_survives_bytes_to_tensor_to_bytes() -> None:
    rgb = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    for dtype in (torch.float32, torch.float16):
        frame = Postprocessor()(Preprocessor((16, 16), dtype=dtype)(solid_rgb_frame(rgb)), like(1))[0]
        assert np.array_equal(to_rgb(frame), rgb)


@pytest.mark.parametrize("color", COLORS, ids=str)
def test_pure_bars_survive_uyvy_there_and_back(color: ColorSpec) -> None:
    frame = Postprocessor(PixelFormat.UYVY, color=color)(pixels_of(bars()), like(1))[0]
    assert (frame.format, frame.color) == (PixelFormat.UYVY, color)
    inside = np.arange(128) % 16 // 2 % 7 > 0  # away from the edges, which 4:2:2 softens
    assert np.abs(to_rgb(frame) - bars())[:, inside].max() <= 2
    again = Preprocessor((32, 128))(frame).permute(1, 2, 0).numpy() * 127.5 + 127.5
    assert np.abs(again - bars())[:, inside].max() <= 2


@given(st.lists(st.sampled_from([tuple(int(v) for v in bar) for bar in BARS]), min_size=4, max_size=4), st.sampled_from(COLORS))
@settings(max_examples=50, deadline=None)
def test_any_bars_survive_any_way_there_and_back(colours: Any, color: ColorSpec) -> None:
    rgb = np.broadcast_to(np.repeat(np.array(colours, np.uint8), 8, 0), (16, 32, 3))
    inside = np.arange(32) % 8 // 2 % 3 > 0
    for format in PixelFormat:
        frame = Postprocessor(format, color=color)(pixels_of(rgb), like(1))[0]
        again = Postprocessor()(Preprocessor((16, 32))(frame), like(1))[0]
        assert np.abs(to_rgb(again) - rgb)[:, inside].max() <= 2


@pytest.mark.parametrize("color", COLORS, ids=str)
@pytest.mark.parametrize("input_size", [False, True])
def test_uyvy_stays_within_nominal_codes(color: ColorSpec, input_size: Any) -> None:
    frame = Postprocessor(PixelFormat.UYVY, color=color, input_size=input_size)(noise(3, 32, 48, scale=4), like(1))[0]
    (low_y, high_y), (low_c, high_c) = code_limits(color)
    assert frame.data[:, 1::2].min() >= low_y
    assert frame.data[:, 1::2].max() <= high_y
    assert frame.data[:, 0::2].min() >= low_c
    assert frame.data[:, 0::2].max() <= high_c
    if color.range is ColorRange.FULL:
        assert frame.data[:, 1::2].max() > 235


def test_a_colour_edge_stays_where_it_is() -> None:
    """Grey to blue, there and back ten times: wrong siting would walk by half a pixel a turn, rounding by less in all."""
    rgb = np.zeros((16, 64, 3), np.uint8)
    rgb[:, 32:] = (100, 100, 160)
    rgb[:, :32] = (100, 100, 100)
    pixels = pixels_of(rgb)
    for _ in range(10):
        pixels = Preprocessor((16, 64))(Postprocessor(PixelFormat.UYVY)(pixels, like(1))[0])
    blue = pixels[2, 8] - pixels[1, 8]
    assert 64 - float(blue.sum() / blue[-1]) == pytest.approx(32, abs=0.5)


@pytest.mark.parametrize("format", PixelFormat)
@pytest.mark.parametrize("fit", Fit)
def test_input_size_is_restored(format: PixelFormat, fit: Fit) -> None:
    frames = like(2, 90, 161)
    out = Postprocessor(format, input_size=True, fit=fit)(noise(1, 3, 2, 64, 64), frames)
    assert {frame.size for frame in out} == {(90, 160 if format is PixelFormat.UYVY else 161)}


def test_resize_agrees_with_pillow_bicubic() -> None:
    pixels = noise(3, 32, 48, scale=1.2)
    frame = Postprocessor(input_size=True, fit=Fit.STRETCH)(pixels, like(1, 70, 100))[0]
    for channel, plane in zip(to_rgb(frame).transpose(2, 0, 1), pixels.numpy() * 127.5 + 127.5, strict=True):
        expected = np.asarray(Image.fromarray(plane).resize((100, 70), Image.Resampling.BICUBIC))
        assert np.abs(channel - expected.clip(0, 255)).max() < 0.51


def test_resized_uyvy_agrees_with_resized_rgb() -> None:
    x = torch.linspace(-0.5, 0.5, 48)
    pixels = torch.stack([x.expand(32, 48), -x.expand(32, 48), (x * 3).sin().expand(32, 48)])
    uyvy, rgb = (Postprocessor(f, input_size=True)(pixels, like(1, 90, 136))[0] for f in (PixelFormat.UYVY, PixelFormat.RGBX))
    assert np.abs(to_rgb(uyvy) - to_rgb(rgb)).max() < 2.5


def test_letterbox_bars_do_not_come_back() -> None:
    white = solid_rgb_frame(np.full((90, 160, 3), 255, np.uint8))
    pixels = Preprocessor((64, 64), fit=Fit.FIT)(white)
    assert pixels.min() == -1
    frame = Postprocessor(input_size=True, fit=Fit.FIT)(pixels, [white])[0]
    assert frame.size == (90, 160)
    assert (to_rgb(frame) == 255).all()


def test_input_that_changes_size_within_a_chunk() -> None:
    frames = [*like(2, 36, 64), *like(2, 50, 40)]
    out = Postprocessor(input_size=True)(noise(1, 3, 4, 32, 48), frames)
    assert [frame.size for frame in out] == [(36, 64), (36, 64), (50, 40), (50, 40)]


@pytest.mark.parametrize("shape", [(1, 3, 5, 16, 16), (2, 3, 4, 16, 16), (1, 4, 4, 16, 16), (3, 16, 16), (16, 16)])
def test_shapes_that_do_not_agree_are_refused(shape: Any) -> None:
    with pytest.raises(EngineError, match="4 output frames"):
        Postprocessor()(torch.zeros(shape), like(4))


@pytest.mark.gpu
@pytest.mark.parametrize("format", PixelFormat)
@pytest.mark.parametrize("input_size", [False, True])
def test_cuda_equals_cpu(format: PixelFormat, input_size: Any) -> None:
    pixels, post = noise(1, 3, 4, 32, 48), Postprocessor(format, input_size=input_size)
    for cuda, cpu in zip(post(pixels.cuda(), like(4)), post(pixels, like(4)), strict=True):
        assert np.abs(cuda.data.astype(int) - cpu.data).max() <= 1
