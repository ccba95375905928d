"""The frame kernels against float64, for every format, fit and size: their own source, run on the host."""

from __future__ import annotations

import ctypes
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from support.host_kernels import HostKernels
from support.reference import COLORS, change, postprocess, preprocess, random_frame

from sdv2_live.frame import ColorSpec, Frame, PixelFormat
from sdv2_live.gpu.backend import DETAIL_TOLERANCE
from sdv2_live.gpu.detail import new_detail
from sdv2_live.gpu.fused import FORMATS, FusedPostprocessor, FusedPreprocessor
from sdv2_live.gpu.geometry import Fit, Size
from sdv2_live.gpu.kernels import DTYPES
from sdv2_live.gpu.postprocess import Postprocessor
from sdv2_live.gpu.preprocess import Coming, Preprocessor

TOLERANCE = 1.5e-6  # of [-1, 1], against float64; PyTorch in float32 is off by up to 2e-5, as its filter weights are float32
TIE = 1e-4  # of a code: as near to a half the exact value must lie where a byte is the other neighbour
DETAIL_TIE = 1e-3  # the same for detail, where two numbers of some hundreds are subtracted
ROUNDING = 5e-7  # some steps of float32 between values up to 1
SIZES = [  # input height and width, model size
    (90, 160, (64, 64)),  # down, other aspect
    (46, 98, (48, 96)),  # down across, up along
    (30, 22, (64, 96)),  # up
    (64, 64, (64, 64)),  # no resize
    (64, 128, (64, 64)),  # crop alone
    (7, 202, (32, 48)),
    (2, 2, (16, 32)),
    (33, 2, (48, 80)),
    (1, 78, (48, 80)),
]


def noise(*shape: int, scale: float = 2.4) -> torch.Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(0)) - 0.5) * scale


def error(frame: Frame, size: Size, fit: Fit, kernels: HostKernels) -> float:
    pre = FusedPreprocessor(size, kernels, fit=fit)
    return float(np.abs(pre(frame).numpy() - preprocess(frame, pre.plan(frame))).max())


@pytest.mark.parametrize("fit", Fit)
@pytest.mark.parametrize("format", PixelFormat)
@pytest.mark.parametrize(("height", "width", "size"), SIZES)
@pytest.mark.parametrize("padding", [0, 13])
def test_pixels_of_every_format_fit_and_size(
    height: int, width: int, size: Any, format: PixelFormat, fit: Fit, padding: Any, kernels: Any
) -> None:
    assert error(random_frame(height, width, format, padding=padding), size, fit, kernels) < TOLERANCE


@pytest.mark.parametrize("fit", Fit)
@pytest.mark.parametrize(("height", "width"), [(359, 641), (1, 1), (33, 1), (1, 77)])
def test_pixels_of_odd_sizes(height: int, width: int, fit: Fit, kernels: Any) -> None:
    assert error(random_frame(height, width, PixelFormat.BGRX, padding=3), (48, 80), fit, kernels) < TOLERANCE


@pytest.mark.parametrize("format", [PixelFormat.UYVY, PixelFormat.BGRX])
def test_pixels_of_1080p(format: PixelFormat, kernels: Any) -> None:
    assert error(random_frame(1080, 1920, format), (480, 832), Fit.FILL, kernels) < TOLERANCE


@pytest.mark.parametrize("color", COLORS, ids=str)
def test_pixels_of_every_matrix_and_range(color: ColorSpec, kernels: Any) -> None:
    assert error(random_frame(48, 64, PixelFormat.UYVY, color=color), (32, 32), Fit.FILL, kernels) < TOLERANCE


@pytest.mark.parametrize("format", PixelFormat)
def test_without_a_resize_pixels_are_those_of_torch_but_for_rounding(format: PixelFormat, kernels: Any) -> None:
    frame = random_frame(32, 48, format)
    fused, plain = FusedPreprocessor((32, 48), kernels)(frame), Preprocessor((32, 48))(frame)
    torch.testing.assert_close(fused, plain, rtol=0, atol=ROUNDING)  # processors with FMA round a product and a sum once


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("fit", [Fit.FILL, Fit.FIT])
def test_half_precision_is_the_rounded_float32(dtype: torch.dtype, fit: Fit, kernels: Any) -> None:
    frame = random_frame(90, 160, PixelFormat.UYVY)
    half = FusedPreprocessor((48, 64), kernels, fit=fit, dtype=dtype)(frame)
    assert half.dtype == dtype
    assert torch.equal(half, FusedPreprocessor((48, 64), kernels, fit=fit)(frame).to(dtype))


def test_a_chunk_follows_a_source_that_changes(kernels: Any) -> None:
    frames = [
        random_frame(90, 160, PixelFormat.UYVY),
        random_frame(33, 47, PixelFormat.BGRA, seed=1),
        random_frame(90, 160, PixelFormat.RGBX, padding=8, seed=2),
        *(random_frame(90, 160, PixelFormat.UYVY, color=color, seed=3) for color in COLORS[:2]),
        Frame(random_frame(40, 40, PixelFormat.BGRX).data[::-1], 40, 40, PixelFormat.BGRX),
    ]
    frames = [frame.at(rate=Fraction(30), captured_ns=i, index=i) for i, frame in enumerate(frames)]
    pre = FusedPreprocessor((48, 64), kernels)
    out = pre.chunk(frames)
    assert out.shape == (1, 3, 6, 48, 64)
    coming = Coming(pre, 6)
    coming.fill(frames[:1])
    assert torch.equal(coming.fill(frames), out)  # into the same places, one by one
    for i, frame in enumerate(frames):
        assert np.abs(out[0, :, i].numpy() - preprocess(frame, pre.plan(frame))).max() < TOLERANCE


def check_bytes(
    kernels: HostKernels,
    pixels: torch.Tensor,
    like: Size,
    format: PixelFormat,
    fit: Fit = Fit.FILL,
    color: ColorSpec = ColorSpec(),  # noqa: B008 (frozen)
) -> None:
    """Bytes at the model's size and at the input's, each as near to the exact value as a byte can be."""
    frames = [random_frame(*like, PixelFormat.BGRX)] * pixels.shape[2]
    for input_size in (False, True):
        post = FusedPostprocessor(kernels, format, color=color, input_size=input_size, fit=fit)
        crop, size = post.plan((pixels.shape[3], pixels.shape[4]), frames[0])
        exact = postprocess(pixels[0].transpose(0, 1).float().numpy(), crop, size, format, post.color)
        for frame, wanted in zip(post(pixels, frames), exact, strict=True):
            assert frame.size == size
            assert frame.data.shape == wanted.shape
            assert np.abs(frame.data - wanted).max() < 0.5 + TIE


@pytest.mark.parametrize("fit", Fit)
@pytest.mark.parametrize("format", PixelFormat)
@pytest.mark.parametrize(
    ("size", "like"),
    [
        ((32, 48), (90, 161)),  # up
        ((64, 64), (90, 160)),
        ((48, 80), (20, 30)),  # down
        ((32, 48), (32, 48)),
        ((32, 16), (7, 202)),
        ((16, 32), (1, 2)),
        ((16, 32), (33, 1)),
    ],
)
def test_bytes_of_every_format_fit_and_size(size: Any, like: Any, format: PixelFormat, fit: Fit, kernels: Any) -> None:
    check_bytes(kernels, noise(1, 3, 2, *size), like, format, fit)


@pytest.mark.parametrize("format", [PixelFormat.UYVY, PixelFormat.BGRX])
def test_bytes_of_1080p(format: PixelFormat, kernels: Any) -> None:
    check_bytes(kernels, noise(1, 3, 1, 480, 832), (1080, 1920), format)


@pytest.mark.parametrize("color", COLORS, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_bytes_of_every_matrix_range_and_type(color: ColorSpec, dtype: torch.dtype, kernels: Any) -> None:
    check_bytes(kernels, noise(1, 3, 2, 32, 48, scale=4).to(dtype), (50, 70), PixelFormat.UYVY, color=color)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("format", PixelFormat)
@pytest.mark.parametrize(
    ("size", "like"), [((32, 48), (90, 161)), ((64, 64), (90, 160)), ((32, 48), (32, 48)), ((48, 80), (20, 30))]
)
def test_bytes_with_detail(size: Any, like: Any, format: PixelFormat, dtype: torch.dtype, kernels: Any) -> None:
    frames = [
        random_frame(like[0], like[1], PixelFormat.UYVY if like[1] % 2 == 0 else PixelFormat.RGBA, seed=seed) for seed in range(2)
    ]
    seen, painted = Preprocessor(size).chunk(frames), noise(1, 3, 2, *size).to(dtype)
    for input_size in (False, True):
        post = FusedPostprocessor(kernels, format, input_size=input_size)
        crop, shape = post.plan(size, frames[0])
        guide = post.guide(frames, seen)
        assert guide is not None
        detail = new_detail(painted[0].transpose(0, 1), guide, 0.9, crop)
        added = change(detail.planes.numpy(), detail.guide.numpy(), shape)
        assert np.abs(added).max() > 5
        exact = postprocess(painted[0].transpose(0, 1).float().numpy(), crop, shape, format, post.color, added)
        for frame, wanted in zip(post(painted, frames, guide, 0.9), exact, strict=True):
            assert np.abs(frame.data - wanted).max() < 0.5 + DETAIL_TIE
        milder = painted / 2  # PyTorch's bytes end at black and white before the detail, the kernel's after it
        plain = Postprocessor(format, input_size=input_size)(milder, frames, guide, 0.9)
        for frame, other in zip(post(milder, frames, guide, 0.9), plain, strict=True):
            assert np.abs(frame.data.astype(int) - other.data).max() <= DETAIL_TOLERANCE


@pytest.mark.parametrize("format", [format for format in PixelFormat if format is not PixelFormat.UYVY])
@pytest.mark.parametrize("dtype", [*DTYPES, torch.float64])
def test_without_a_resize_bytes_are_exactly_those_of_torch(format: PixelFormat, dtype: torch.dtype, kernels: Any) -> None:
    pixels, like = noise(1, 3, 4, 32, 48).to(dtype), [random_frame(36, 64, PixelFormat.BGRX)] * 4
    for fused, plain in zip(FusedPostprocessor(kernels, format)(pixels, like), Postprocessor(format)(pixels, like), strict=True):
        assert np.array_equal(fused.data, plain.data)


@pytest.mark.parametrize("format", [PixelFormat.UYVY, PixelFormat.RGBX])
def test_pixels_may_lie_in_memory_as_they_like(format: PixelFormat, kernels: Any) -> None:
    pixels, like = noise(1, 3, 4, 32, 48), [random_frame(50, 70, PixelFormat.BGRX)] * 4
    post = FusedPostprocessor(kernels, format, input_size=True)
    wanted = post(pixels, like)
    frames_apart = torch.stack(list(pixels.unbind(2))).movedim(0, 2)
    for other in (pixels.contiguous(memory_format=torch.channels_last_3d), frames_apart, pixels.flip(4).flip(4)):
        for frame, expected in zip(post(other, like), wanted, strict=True):
            assert np.array_equal(frame.data, expected.data)


def test_every_half_becomes_its_float(kernels: Any) -> None:
    bits = np.arange(65536, dtype=np.uint16)
    for name, wanted in (
        ("half_to_float", bits.view(np.float16).astype(np.float32)),
        ("bfloat16_to_float", (bits.astype(np.uint32) << 16).view(np.float32)),
    ):
        convert = getattr(kernels.library, name)
        convert.restype = ctypes.c_float
        assert np.array_equal(np.array([convert(int(b)) for b in bits], np.float32), wanted, equal_nan=True)


def test_floats_become_the_nearest_half(kernels: Any) -> None:
    exact = np.arange(0, 0x3C01, 7, dtype=np.uint16).view(np.float16).astype(np.float32)  # 0 to 1, with subnormals
    between = (exact[:-1] + exact[1:]) / 2
    values = np.concatenate([exact, between, np.nextafter(between, np.float32(0)), np.nextafter(between, np.float32(1))])
    ties = np.arange(0x3C00, dtype=np.uint16).view(np.float16).astype(np.float32)  # halfway to the next half, for each
    halves = ties + (np.nextafter(ties.astype(np.float16), np.float16(2)).astype(np.float32) - ties) / 2
    values = np.concatenate([values, halves, -values, -halves]).astype(np.float32)
    for name, dtype in (("float_to_half", torch.float16), ("float_to_bfloat16", torch.bfloat16)):
        convert = getattr(kernels.library, name)
        convert.argtypes = [ctypes.c_float]
        made = np.array([convert(float(value)) for value in values], np.uint16)
        assert np.array_equal(made, torch.from_numpy(values).to(dtype).view(torch.uint16).numpy())


def test_every_format_has_its_number() -> None:
    assert set(FORMATS) == set(PixelFormat)
