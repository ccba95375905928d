from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support.reference import COLORS, preprocess, random_frame, solid_rgb_frame, to_rgb

from sdv2_live.errors import EngineError
from sdv2_live.frame import ColorSpec, Frame, PixelFormat
from sdv2_live.gpu.geometry import Fit
from sdv2_live.gpu.preprocess import Coming, Preprocessor

TOLERANCE = 2e-5  # of [-1, 1]: float32 against float64
FORMATS = list(PixelFormat)


def check(frame: Frame, size: tuple[int, int], fit: Fit) -> None:
    pre = Preprocessor(size, fit=fit)
    out = pre(frame)
    assert out.shape == (3, *size)
    assert out.dtype == torch.float32
    assert np.abs(out.numpy() - preprocess(frame, pre.plan(frame))).max() < TOLERANCE


@pytest.mark.parametrize("fit", Fit)
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("height", "width", "size"),
    [
        (90, 160, (64, 64)),  # down, other aspect
        (46, 98, (48, 96)),  # down across, up along
        (30, 22, (64, 96)),  # up
        (64, 64, (64, 64)),  # no resize
        (64, 128, (64, 64)),  # crop alone
        (7, 202, (32, 48)),
        (16, 16, (16, 16)),
        (2, 2, (16, 32)),
    ],
)
@pytest.mark.parametrize("padding", [0, 20])
def test_every_format_fit_and_size_matches_the_reference(
    height: int, width: int, size: Any, format: PixelFormat, fit: Fit, padding: Any
) -> None:
    check(random_frame(height, width, format, padding=padding), size, fit)


@pytest.mark.parametrize("fit", Fit)
@pytest.mark.parametrize(("height", "width"), [(359, 641), (1, 1), (33, 1), (1, 77)])
def test_odd_sizes(height: int, width: int, fit: Fit) -> None:
    check(random_frame(height, width, PixelFormat.BGRX, padding=3), (48, 80), fit)


@pytest.mark.parametrize("format", [PixelFormat.UYVY, PixelFormat.BGRX])
def test_4k(format: PixelFormat) -> None:
    check(random_frame(2160, 3840, format), (48, 80), Fit.FILL)


@pytest.mark.parametrize("color", COLORS, ids=str)
def test_every_matrix_and_range(color: ColorSpec) -> None:
    check(random_frame(48, 64, PixelFormat.UYVY, color=color), (32, 32), Fit.FILL)


def test_resize_agrees_with_pillow() -> None:
    """A second opinion on what an antialiased triangle filter is."""
    frame = random_frame(90, 160, PixelFormat.RGBX)
    out = Preprocessor((48, 64), fit=Fit.STRETCH)(frame).numpy()
    for channel, plane in zip(out, to_rgb(frame).transpose(2, 0, 1), strict=True):
        expected = Image.fromarray(plane.astype(np.float32)).resize((64, 48), Image.Resampling.BILINEAR)
        assert np.abs(channel - (np.asarray(expected) / 127.5 - 1)).max() < 1e-4


def test_range_is_exact_at_both_ends() -> None:
    rgb = np.zeros((16, 16, 3), np.uint8)
    rgb[:, 8:] = 255
    out = Preprocessor((16, 16))(solid_rgb_frame(rgb))
    assert out[..., :8].eq(-1).all()
    assert out[..., 8:].eq(1).all()


def test_codes_beyond_the_cube_are_clamped() -> None:
    data = np.tile(np.array([255, 255, 255, 255, 0, 0, 0, 0], np.uint8), (16, 4))
    out = Preprocessor((16, 16))(Frame(data, 16, 16, PixelFormat.UYVY))
    assert out.min() >= -1
    assert out.max() <= 1


def test_alpha_is_ignored() -> None:
    straight = random_frame(20, 20, PixelFormat.BGRA)
    opaque = straight.data.copy()
    opaque[:, 3::4] = 255
    pre = Preprocessor((16, 16))
    assert torch.equal(pre(straight), pre(Frame(opaque, 20, 20, PixelFormat.BGRX)))


@pytest.mark.parametrize("width", [64, 192])
def test_a_colour_edge_stays_where_it_is(width: int) -> None:
    """Left-sited chroma: an edge between greys and reds of one brightness crosses its middle on the luma edge."""
    edge = width // 2
    data = np.full((32, width, 2), 128, np.uint8)
    data[:, edge::2, 0] = 128  # Cb
    data[:, edge + 1 :: 2, 0] = 190  # Cr of every sample from the edge on
    frame = Frame(data.reshape(32, -1), width, 32, PixelFormat.UYVY)
    out = Preprocessor((32, 64), fit=Fit.STRETCH)(frame)
    red = (out[0, 16] - out[0, 16, 0]) / (out[0, 16, -1] - out[0, 16, 0])
    # The chroma sample at `edge` is the first red one, the sample 2 columns before it the last grey one: the middle of the
    # edge is the centre of luma column `edge - 1`. With centred siting it would be half a column further right.
    middle = 64 - float(red.sum())
    assert middle == pytest.approx((edge - 0.5) * 64 / width, abs=0.01)


def test_bars_are_black_and_the_picture_is_inside() -> None:
    out = Preprocessor((64, 64), fit=Fit.FIT)(solid_rgb_frame(np.full((36, 64, 3), 255, np.uint8)))
    assert out[:, :14].eq(-1).all()
    assert out[:, 50:].eq(-1).all()
    assert out[:, 14:50].eq(1).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("fit", [Fit.FILL, Fit.FIT])
def test_half_precision_is_the_rounded_float32(dtype: torch.dtype, fit: Fit) -> None:
    frame = random_frame(90, 160, PixelFormat.UYVY)
    half = Preprocessor((48, 64), fit=fit, dtype=dtype)(frame)
    assert half.dtype == dtype
    assert torch.equal(half, Preprocessor((48, 64), fit=fit)(frame).to(dtype))


def test_chunk_follows_a_source_that_changes_mid_stream() -> None:
    frames = [
        random_frame(90, 160, PixelFormat.UYVY),
        random_frame(33, 47, PixelFormat.BGRA, seed=1),
        random_frame(90, 160, PixelFormat.RGBX, padding=8, seed=2),
        *(random_frame(90, 160, PixelFormat.UYVY, color=color, seed=3) for color in COLORS[:2]),
    ]
    pre = Preprocessor((48, 64))
    out = pre.chunk(frames)
    assert out.shape == (1, 3, 5, 48, 64)
    for i, frame in enumerate(frames):
        assert torch.equal(out[0, :, i], Preprocessor((48, 64))(frame))
        assert np.abs(out[0, :, i].numpy() - preprocess(frame, pre.plan(frame))).max() < TOLERANCE
    assert not torch.equal(out[0, :, 3], out[0, :, 4])  # the same bytes in another range


@pytest.mark.filterwarnings("ignore:The given NumPy array")  # pytest drops the filter that the module sets
def test_read_only_and_flipped_rows_are_read_and_never_written() -> None:
    frame = random_frame(32, 32, PixelFormat.BGRX)
    upside_down = Frame(frame.data[::-1], 32, 32, PixelFormat.BGRX)
    before = frame.data.copy()
    frame.data.flags.writeable = False
    pre = Preprocessor((32, 32))
    assert torch.equal(pre(upside_down), pre(frame).flip(1))
    assert np.array_equal(frame.data, before)


@pytest.mark.gpu
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("fit", Fit)
def test_cuda_equals_cpu(format: PixelFormat, fit: Fit) -> None:
    frame = random_frame(90, 160, format, padding=12)
    out = Preprocessor((48, 64), fit=fit, device="cuda")(frame)
    assert out.is_cuda
    assert (out.cpu() - Preprocessor((48, 64), fit=fit)(frame)).abs().max() < TOLERANCE


def test_a_chunk_whose_frames_come_one_by_one_is_the_same() -> None:
    frames = [random_frame(90, 160, PixelFormat.UYVY, seed=i).at(rate=Fraction(30), captured_ns=i, index=i) for i in range(4)]
    pre = Preprocessor((48, 64), fit=Fit.FIT)
    coming = Coming(pre, 4)
    for count in (1, 1, 3, 4):
        pixels = coming.fill(frames[:count])
        assert torch.equal(pixels, pre.chunk(frames[:count]))
    for wrong in (frames[1:], frames[:2] + frames[3:], [*frames, frames[0]]):
        with pytest.raises(EngineError, match="do not go on from the 4 of 4"):
            coming.fill(wrong)
