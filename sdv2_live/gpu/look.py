"""The look of a frame, before and after it is painted: brightness, contrast, colours, mirror and flip, and a look-up table."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from sdv2_live.frame import ColorMatrix
from sdv2_live.gpu.color import UNCHANGED, Affine, turned
from sdv2_live.gpu.geometry import Rect
from sdv2_live.gpu.lut import Lut


@dataclass(frozen=True, slots=True)
class Look:
    """A look. Without arguments: none.

    Attributes:
        brightness: added, 1 for all the way from black to white.
        contrast: a factor, about middle grey.
        saturation: a factor.
        hue: degrees.
        mirror: left and right are swapped.
        flip: it is upside down.
        lut: colours by a table, after all else.
    """

    brightness: float = 0.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0
    mirror: bool = False
    flip: bool = False
    lut: Lut | None = None

    @property
    def colors(self) -> bool:
        """True when colours change, other than by a table."""
        return (self.brightness, self.contrast, self.saturation, self.hue) != (0.0, 1.0, 1.0, 0.0)

    @property
    def plain(self) -> bool:
        """True when nothing changes."""
        return not (self.colors or self.mirror or self.flip or self.lut is not None)

    def affine(self, matrix: ColorMatrix = ColorMatrix.BT709) -> Affine:
        """The change of R'G'B' in [-1, 1]. Grey stays grey, and hue and saturation keep the luma of `matrix`."""
        if not self.colors:
            return UNCHANGED
        return turned(self.hue, self.saturation, matrix).scaled(self.contrast, 2 * self.brightness)

    def luma(self, scale: float, offset: float) -> tuple[float, float]:
        """The same for luma 0..255 that is `scale * code + offset`, as such a pair."""
        return self.contrast * scale, self.contrast * (offset - 127.5) + 127.5 * (1 + 2 * self.brightness)

    def turned(self, planes: torch.Tensor) -> torch.Tensor:
        """Pictures (..., height, width), mirrored and flipped."""
        axes = [axis for axis, wanted in ((-1, self.mirror), (-2, self.flip)) if wanted]
        return planes.flip(axes) if axes else planes

    def seen_in(self, part: Rect, whole: Rect) -> Rect:
        """The part of a picture that lies at `part` of `whole` once it is mirrored and flipped."""
        x = 2 * whole.x + whole.width - part.x - part.width if self.mirror else part.x
        y = 2 * whole.y + whole.height - part.y - part.height if self.flip else part.y
        return Rect(x, y, part.width, part.height)


PLAIN = Look()
