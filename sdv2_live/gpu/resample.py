"""Plane operations that both directions share. Planes are float32 tensors (N, C, height, width) on any device.

Every resize is two passes, rows and columns, so that the caller puts the one that shrinks the picture first. All is float32:
on single planes the CPU resizes it twice as fast as uint8, nothing is rounded between the passes (uint8 is off by up to 1 of
255), and CUDA has no uint8 resize.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F

from sdv2_live.gpu.color import Affine

Filter = Literal["bilinear", "bicubic"]


def resize_rows(planes: torch.Tensor, height: int, mode: Filter) -> torch.Tensor:
    """Antialiased resize of the height alone; the planes themselves when it is right already."""
    if planes.shape[-1] == 1:  # PyTorch's CPU kernel takes a single column for channels-last and reads the wrong samples
        return resize_rows(planes.expand(*planes.shape[:-1], 2), height, mode)[..., :1]
    return _resize(planes, (height, planes.shape[-1]), mode)


def resize_columns(planes: torch.Tensor, width: int, mode: Filter) -> torch.Tensor:
    """Antialiased resize of the width alone; the planes themselves when it is right already."""
    return _resize(planes, (planes.shape[-2], width), mode)


def _resize(planes: torch.Tensor, size: tuple[int, int], mode: Filter) -> torch.Tensor:
    return planes if planes.shape[-2:] == size else F.interpolate(planes, size, mode=mode, antialias=True)


def upsample_chroma(chroma: torch.Tensor) -> torch.Tensor:
    """Twice the width, for 4:2:2 sited on the left: sample i lies on luma column 2i.

    Even columns are the samples, odd ones the mean of their neighbours; the last column repeats.
    """
    following = torch.cat([chroma[..., 1:], chroma[..., -1:]], -1)
    return torch.stack([chroma, (chroma + following) / 2], -1).flatten(-2)


def downsample_chroma(chroma: torch.Tensor) -> torch.Tensor:
    """Half the width, sited on the left: (1, 2, 1) / 4 around every even column.

    It is the transpose of `upsample_chroma` and so adds no shift; the column before the first repeats the first.
    """
    even, odd = chroma[..., 0::2], chroma[..., 1::2]
    preceding = torch.cat([chroma[..., :1], odd[..., :-1]], -1)
    return (preceding + odd).add_(even, alpha=2).mul_(0.25)


def resize_bytes(pixels: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """uint8 pixels (N, height, width, C) at another size, antialiased bicubic; very fast on a CPU where C is 3 or 4."""
    if pixels.shape[1:3] == size:
        return pixels
    planes = pixels.movedim(3, 1)
    if planes.is_cuda:  # which resizes no uint8
        planes = F.interpolate(planes.float(), size, mode="bicubic", antialias=True).clamp_(0, 255).round_().to(torch.uint8)
    else:
        planes = F.interpolate(planes, size, mode="bicubic", antialias=True)
    return planes.movedim(1, 3).contiguous()


def resize_planes(planes: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """uint8 planes (N, height, width) at another size. Four at a time, as if they were the channels of one picture."""
    if planes.shape[1:] == size:
        return planes
    fours = [torch.stack([four[i % len(four)] for i in range(4)], -1) for four in planes.split(4)]
    resized = torch.cat([resize_bytes(four[None], size)[0] for four in fours], -1)
    return resized[..., : len(planes)].movedim(-1, 0)


def pack_uyvy(codes: torch.Tensor) -> torch.Tensor:
    """uint8 (N, height, width / 2, 4), UYVY, of codes Y, Cb, Cr, any: uint8 (N, height, width, 4). See `downsample_chroma`."""
    pairs = codes.view(*codes.shape[:2], -1, 8)
    out = torch.empty((*pairs.shape[:3], 4), dtype=torch.uint8, device=codes.device)
    out[..., 1], out[..., 3] = pairs[..., 0], pairs[..., 4]
    for component, place in ((1, 0), (2, 2)):
        total, odd = pairs[..., component].to(torch.int16), pairs[..., 4 + component].to(torch.int16)
        first = total[..., :1].clone()
        total.mul_(2).add_(odd).add_(2)
        total[..., :1] += first
        total[..., 1:] += odd[..., :-1]
        out[..., place] = total.bitwise_right_shift_(2)
    return out


def change_color(planes: torch.Tensor, affine: Affine) -> torch.Tensor:
    """(N, 3, height, width) through a colour change. Spelled out, as a matrix product may run in TF32 on CUDA."""
    first, second, third = planes.unbind(1)
    out = torch.empty_like(planes)
    for plane, (a, b, c), offset in zip(out.unbind(1), affine.matrix, affine.offset, strict=True):
        torch.mul(first, a, out=plane)
        plane.add_(second, alpha=b).add_(third, alpha=c).add_(offset)
    return out
