"""Detail: the edges and the fine luminance of the input, carried into the larger picture that was painted from it.

At the model's size, where both pictures lie, a local regression tells how a painting's luma follows its input's: as it is (a
gain near 1), damped, inverted, or not at all. That gain carries over to what lies above the model's size, as in He and Sun,
Fast guided filter (2015). Two more things keep the painting a painting: a second gain tells how much of the finest detail it
has already, so that nothing is drawn twice; and the luma alone is changed, so that no colour of the input comes through.

In codes of luma, with low() a blur, Y the input's luma at full size and y at the model's:

    picture + up(a) * Y - up(a * low(y) + g * (y - low(y)))        a, g: the two gains

What is left of it within CORE is noise, and dropped; beyond LIMIT it would be a halo, and is cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from sdv2_live.frame import ColorRange, ColorSpec, Frame, PixelFormat
from sdv2_live.gpu.geometry import Rect
from sdv2_live.gpu.look import PLAIN, Look
from sdv2_live.gpu.preprocess import RGB_OFFSETS
from sdv2_live.gpu.resample import resize_planes
from sdv2_live.gpu.staging import upload

CORE, LIMIT = 1.5, 64.0  # codes of luma
PRIOR = 0.9  # gain where the input is too even to tell one; negative in negatives
LOWEST, HIGHEST = -1.0, 1.2  # gain
CONTRAST = 22.0  # codes: standard deviation of the input from which the painting is believed rather than PRIOR
FINE = 4.0  # the same for the second gain
BAND = 64  # rows at a time: they stay in a processor's cache


@dataclass(frozen=True, slots=True)
class Guide:
    """The luma of a chunk's input frames.

    Attributes:
        full: uint8 (T, H, W), codes as the frames have them, of the part of them that the output shows.
        small: float32 (T, 1, h, w), codes 0..255, as the model sees them.
        scale, offset: from codes of `full` to 0..255.
    """

    full: torch.Tensor
    small: torch.Tensor
    scale: float = 1.0
    offset: float = 0.0

    @property
    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        """All that lies on the device."""
        return self.full, self.small


@dataclass(frozen=True, slots=True)
class Detail:
    """Detail for the pictures of a chunk: what to add to each is `gain * guide - base`, all at the pictures' size.

    Attributes:
        planes: float32 (T, 2, h, w), gain and base, of the part of the model's picture that is shown.
        guide: uint8 (T, H, W), of any size.
    """

    planes: torch.Tensor
    guide: torch.Tensor

    def turned(self, look: Look) -> Detail:
        """The detail of the same pictures, mirrored and flipped."""
        return Detail(look.turned(self.planes).contiguous(), look.turned(self.guide).contiguous())


def new_guide(frames: Sequence[Frame], shown: Rect | None, pixels: torch.Tensor, look: Look = PLAIN) -> Guide:
    """The guide of a chunk.

    Args:
        frames: the input frames, all alike.
        shown: the part of them that the output shows; None where the output has the model's size.
        pixels: the same frames as the model sees them, (1, 3, T, h, w) in [-1, 1].
        look: which these have.
    """
    color = frames[0].color
    kr, kb = color.matrix.value
    red, green, blue = pixels[0].to(torch.float32)
    small = (red * kr).add_(green, alpha=1 - kr - kb).add_(blue, alpha=kb).add_(1).mul_(127.5)[:, None]
    if shown is None:
        return Guide(small[:, 0].round().to(torch.uint8), small)
    full = torch.stack([_luma(frame, shown, pixels.device) for frame in frames])
    limited = frames[0].format is PixelFormat.UYVY and color.range is ColorRange.LIMITED
    scale, offset = (255 / 219, -16 * 255 / 219) if limited else (1.0, 0.0)
    if not look.colors:
        return Guide(look.turned(full).contiguous(), small, scale, offset)
    scale, offset = look.luma(scale, offset)  # what black and white swallow is gone from the pixels, too
    full = full.to(torch.float32).mul_(scale).add_(offset).clamp_(0, 255).round_().to(torch.uint8)
    return Guide(look.turned(full).contiguous(), small)


def _luma(frame: Frame, part: Rect, device: torch.device) -> torch.Tensor:
    """uint8 (height, width): luma of a part of a frame, on `device`."""
    unit = frame.format.bytes_per_pixel
    rows = upload(frame.data[part.y : part.y + part.height, part.x * unit : (part.x + part.width) * unit], device)
    if frame.format is PixelFormat.UYVY:
        return rows[:, 1::2]
    kr, kb = frame.color.matrix.value
    red, green, blue = (rows[:, offset::4] for offset in RGB_OFFSETS[frame.format])
    luma = red.to(torch.float32).mul_(kr).add_(green.to(torch.float32), alpha=1 - kr - kb)
    return luma.add_(blue.to(torch.float32), alpha=kb).round_().to(torch.uint8)


def new_detail(painted: torch.Tensor, guide: Guide, strength: float, crop: Rect) -> Detail:
    """The detail for pictures (T, 3, h, w) in [-1, 1], of which `crop` is shown. strength: 0..1."""
    kr, kb = ColorSpec().matrix.value
    red, green, blue = painted.to(torch.float32).clamp(-1, 1).unbind(1)
    luma = (red * kr).add_(green, alpha=1 - kr - kb).add_(blue, alpha=kb).add_(1).mul_(127.5)[:, None]
    y = guide.small
    low, smooth = _back(_mean(_halved(torch.cat([y, luma], 1))), y).split(1, 1)
    fine, drawn = y - low, luma - smooth
    moments = torch.cat([y, luma, y * y, luma * luma, y * luma, fine * fine, fine * drawn], 1)
    mean, mean_painted, square, square_painted, product, fine_square, fine_product = _mean(_quarter(moments)).split(1, 1)
    prior = PRIOR * _direction(mean, mean_painted, square, square_painted, product)
    gain = (product - mean * mean_painted + CONTRAST**2 * prior) / (square - mean * mean + CONTRAST**2)
    gain = gain.clamp(LOWEST, HIGHEST)
    there = fine_product / (fine_square + FINE**2)
    there = torch.minimum(torch.maximum(there, gain.clamp(max=0)), gain.clamp(min=0))  # between none and all of it
    gain, there = _back(_mean(torch.cat([gain, there], 1)), y).split(1, 1)
    base = gain * (low - guide.offset) + there * fine
    planes = torch.cat([gain * guide.scale, base], 1).mul_(strength)
    return Detail(crop.of(planes).contiguous(), guide.full)


def _direction(y: torch.Tensor, luma: torch.Tensor, yy: torch.Tensor, ll: torch.Tensor, yl: torch.Tensor) -> torch.Tensor:
    """1, or -1 where pictures are painted as negatives, or between; (T, 1, 1, 1) from the moments of all parts of a picture."""
    y, luma, yy, ll, yl = (moment.mean((2, 3), keepdim=True) for moment in (y, luma, yy, ll, yl))
    correlation = (yl - y * luma) / ((yy - y * y) * (ll - luma * luma)).clamp(min=1).sqrt()
    return (1 + correlation / 0.3).clamp(-1, 1)


def _quarter(planes: torch.Tensor) -> torch.Tensor:
    return _halved(_halved(planes))


def _halved(planes: torch.Tensor) -> torch.Tensor:
    """The mean of every 2x2 samples, at half the size."""
    rows = planes[..., 0::2, :] + planes[..., 1::2, :]
    return (rows[..., 0::2] + rows[..., 1::2]).mul_(0.25)


def _mean(planes: torch.Tensor) -> torch.Tensor:
    """The mean of every 3x3 samples, at the same size."""
    for axis in (-2, -1):
        size = planes.shape[axis]
        first, last = planes.narrow(axis, 0, 1), planes.narrow(axis, size - 1, 1)
        before = torch.cat([first, planes.narrow(axis, 0, size - 1)], axis)
        planes = before.add_(planes).add_(torch.cat([planes.narrow(axis, 1, size - 1), last], axis)).mul_(1 / 3)
    return planes


def _back(planes: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return F.interpolate(planes, like.shape[-2:], mode="bilinear", align_corners=False)


def add_detail(codes: torch.Tensor, detail: Detail, limits: tuple[int, int] = (0, 255)) -> None:
    """Add the detail to pictures of uint8 codes in place, within `limits`, the codes of black and white.

    codes: (T, height, width, n): one plane of luma, or the bytes of RGB, of which the fourth stays as it is.
    """
    low, high = limits
    scale = (high - low) / 255
    height, width = codes.shape[1:3]
    planes = _resized(detail.planes * scale, min(height, detail.planes.shape[-2]), width)
    first, second, share = _between(planes.shape[-2], height, codes.device)
    for picture, lines, guide in zip(codes, planes.transpose(1, 2), resize_planes(detail.guide, (height, width)), strict=True):
        lines = lines.contiguous()  # (h, 2, width)
        for i in range(0, height, BAND):
            band = slice(i, i + BAND)
            above, below = lines.index_select(0, first[band]), lines.index_select(0, second[band])
            gain, base = above.lerp_(below, share[band]).unbind(1)
            change = F.softshrink(gain.mul_(guide[band]).sub_(base), CORE * scale)
            change = change.clamp_(-LIMIT * scale, LIMIT * scale).round_().to(torch.int8)
            part = picture[band].contiguous()
            more, less = _bytes(change, part), _bytes(-change, part)
            torch.minimum(part, high - more, out=part).add_(more)
            picture[band] = torch.maximum(part, low + less).sub_(less)


def _bytes(change: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """What is above 0, as bytes of that shape: where they are four, the same for three of them and none for the fourth."""
    change = change.clamp(min=0)
    if like.shape[-1] == 4:
        return change.to(torch.int32).mul_(0x010101).view(torch.uint8).view(like.shape)
    return change[..., None].view(torch.uint8)


def _resized(planes: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Planes (N, C, h, w) at another size. Gains are smooth, and bases nearly: the triangle filter will do."""
    if planes.shape[-2:] == (height, width):
        return planes
    shrinks = height < planes.shape[-2] or width < planes.shape[-1]
    return F.interpolate(planes, (height, width), mode="bilinear", antialias=shrinks)


def _between(rows: int, height: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The two of so many rows that each of `height` lies between, and the share (height, 1, 1) of the second."""
    place = ((torch.arange(height, device=device) + 0.5) * (rows / height) - 0.5).clamp_(0, rows - 1)
    first = place.long()
    return first, (first + 1).clamp_(max=rows - 1), (place - first)[:, None, None]
