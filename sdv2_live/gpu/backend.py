"""The choice of frame kernels: the fused ones where they work, PyTorch's operations everywhere else."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache

import numpy as np
import torch

from sdv2_live.errors import EngineError
from sdv2_live.frame import ColorSpec, Frame, PixelFormat
from sdv2_live.gpu.feedback import Feedback, Move
from sdv2_live.gpu.fused import FusedPostprocessor, FusedPreprocessor
from sdv2_live.gpu.fused_effects import FusedFeedback
from sdv2_live.gpu.geometry import Fit, Size
from sdv2_live.gpu.kernels import DTYPES, Kernels
from sdv2_live.gpu.look import Look
from sdv2_live.gpu.postprocess import Postprocessor
from sdv2_live.gpu.preprocess import Preprocessor

log = logging.getLogger("sdv2_live.gpu")

TOLERANCE = 1e-3  # of [-1, 1], between the kernels and PyTorch on one small picture: float32 differs by some 1e-6
DETAIL_TOLERANCE = 4  # codes: for detail PyTorch resizes bytes


def new_preprocessor(
    size: Size, *, fit: Fit = Fit.FILL, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> Preprocessor:
    """The fastest Preprocessor that works on `device`; its `backend` says which it is ("torch" or "cupy")."""
    kernels = find_kernels(torch.device(device))
    if kernels is None or dtype not in DTYPES:
        return Preprocessor(size, fit=fit, dtype=dtype, device=device)
    return FusedPreprocessor(size, kernels, fit=fit, dtype=dtype, device=device)


def new_postprocessor(
    format: PixelFormat = PixelFormat.BGRX,
    *,
    color: ColorSpec = ColorSpec(),  # noqa: B008 (frozen)
    input_size: bool = False,
    fit: Fit = Fit.FILL,
    device: torch.device | str = "cpu",
) -> Postprocessor:
    """The fastest Postprocessor that works on `device`; its `backend` says which it is ("torch" or "cupy")."""
    kernels = find_kernels(torch.device(device))
    if kernels is None:
        return Postprocessor(format, color=color, input_size=input_size, fit=fit)
    return FusedPostprocessor(kernels, format, color=color, input_size=input_size, fit=fit, device=device)


def new_feedback(device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Feedback:
    """The fastest Feedback that works on `device`, for pixels of a type."""
    kernels = find_kernels(torch.device(device))
    return Feedback() if kernels is None or dtype not in DTYPES else FusedFeedback(kernels)


def frames_by(device: torch.device) -> str:
    """By what frames become pixels on a device, and pixels frames: "cupy" or "torch"."""
    return "torch" if find_kernels(device) is None else "cupy"


@cache
def find_kernels(device: torch.device) -> Kernels | None:
    """The kernels for a device, compiled and checked once; None on the CPU and, with a warning, where they do not work."""
    if device.type != "cuda":
        return None
    try:
        return cupy_kernels(device)
    except EngineError as error:
        log.warning("frames take the slower way over PyTorch alone: %s", error)
        return None


def cupy_kernels(device: torch.device) -> Kernels:
    """The kernels by CuPy. Raises EngineError when they cannot be compiled or do not compute what PyTorch does."""
    from sdv2_live.gpu.cupy_kernels import CupyKernels

    kernels = CupyKernels(device)
    check(kernels, device)
    return kernels


def check(kernels: Kernels, device: torch.device) -> None:
    """Raise EngineError unless the kernels take a picture there and back as PyTorch does: drivers and compilers vary."""
    data = np.random.default_rng(0).integers(0, 256, (36, 2 * 64), dtype=np.uint8)
    frame = Frame(data, 64, 36, PixelFormat.UYVY)
    try:
        fused = FusedPreprocessor((32, 48), kernels, device=device)(frame)
        pixels = Preprocessor((32, 48), device=device)(frame)
        mine = FusedPostprocessor(kernels, frame.format, input_size=True, device=device)
        plain = Postprocessor(frame.format, input_size=True)
        codes = _difference(mine(pixels, [frame]), plain(pixels, [frame]))
        guide = plain.guide([frame], pixels[None, :, None])
        soft = pixels / 2
        detailed = _difference(mine(soft, [frame], guide, 1.0), plain(soft, [frame], guide, 1.0))
        error = float((fused - pixels).abs().max())
        chunk, move = pixels[None, :, None], Move(1.1, 5.0, 0.05, 0.1, 20.0, "wrap")
        fed = (each(chunk, pixels, move, 0.5, range(1, 2)) for each in (FusedFeedback(kernels), Feedback()))
        error = max(error, float(torch.sub(*fed).abs().max()))
        look = Look(0.1, 1.2, 1.3, 40.0, mirror=True, flip=True)
        codes = max(codes, _difference(mine(pixels, [frame], look=look), plain(pixels, [frame], look=look)))
    except (RuntimeError, TypeError) as problem:  # of PyTorch, CuPy or the driver
        raise EngineError(f"the frame kernels failed on {device} ({problem})") from problem
    if not error < TOLERANCE or codes > 1 or detailed > DETAIL_TOLERANCE:
        wrong = f"{error:.2g} of [-1, 1] and {codes} of 255, {detailed} with detail"
        raise EngineError(f"the frame kernels on {device} are wrong by {wrong}: report this")


def _difference(one: Sequence[Frame], other: Sequence[Frame]) -> int:
    """The largest difference of two bytes."""
    return max(int(np.abs(mine.data.astype(int) - its.data).max()) for mine, its in zip(one, other, strict=True))
