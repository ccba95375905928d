"""The looks that `tiny` paints: filters, and paintings by a teacher network. The same picture always gives the same result.

Each maps frames (T, 3, H, W) in [0, 1] to frames of that shape and range. Patterns of filters are fixed to the screen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from .teacher import paint

Filter = Callable[[Tensor], Tensor]


def luma(x: Tensor) -> Tensor:
    """Rec. 709 luminance, (T, 1, H, W)."""
    return (x * x.new_tensor([0.2126, 0.7152, 0.0722])[:, None, None]).sum(1, keepdim=True)


def blur(x: Tensor, radius: int) -> Tensor:
    """Two box blurs of 2 * radius + 1 pixels: close to a Gaussian, edges replicated."""
    for _ in range(2):
        x = F.avg_pool2d(F.pad(x, (radius,) * 4, mode="replicate"), 2 * radius + 1, stride=1)
    return x


def gradient(y: Tensor) -> tuple[Tensor, Tensor]:
    """Sobel derivatives of (T, 1, H, W) along x and y, edges replicated; a step of height 1 gives about 1."""
    kernel = y.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 4
    padded = F.pad(y, (1, 1, 1, 1), mode="replicate")
    return F.conv2d(padded, kernel[None, None]), F.conv2d(padded, kernel.T[None, None])


def slope(y: Tensor) -> Tensor:
    """How steep (T, 1, H, W) is, in whatever direction. Rounded at the bottom, for the sake of its own derivative."""
    gx, gy = gradient(y)
    return (gx.square() + gy.square() + 1e-8).sqrt()


def edges(x: Tensor, radius: int = 1) -> Tensor:
    """Edge strength (T, 1, H, W) in 0..1 of the blurred luminance: a wider blur gives fewer, thicker lines."""
    return (slope(blur(luma(x), radius)) * (3 + 2 * radius) - 0.15).clamp(0, 1)


def palette(y: Tensor, *colours: tuple[float, float, float]) -> Tensor:
    """Map luminance (T, 1, H, W) through equally spaced colours, linearly between them."""
    table = y.new_tensor(colours)
    place = y[:, 0].clamp(0, 1) * (len(colours) - 1)
    low = place.floor().clamp(max=len(colours) - 2)
    index = low.long()
    return torch.lerp(table[index], table[index + 1], (place - low)[..., None]).permute(0, 3, 1, 2)


def stretch(y: Tensor) -> Tensor:
    """A gentle S-curve on 0..1."""
    return y * y * (3 - 2 * y)


def saturate(x: Tensor, amount: float) -> Tensor:
    """Scale the distance from grey."""
    return torch.lerp(luma(x), x, amount).clamp(0, 1)


def screen(x: Tensor) -> tuple[Tensor, Tensor]:
    """Phases of a printing screen, (H, 1) down and (1, W) across: one turn every 8 pixels, as wide as a latent."""
    down, across = (2 * math.pi / 8 * (torch.arange(n, device=x.device, dtype=x.dtype) + 0.5) for n in x.shape[-2:])
    return down[:, None], across[None, :]


def faithful(x: Tensor) -> Tensor:
    """The picture as it is."""
    return x


def neon(x: Tensor) -> Tensor:
    """Glowing lines on near black, from blue through violet and magenta to cyan as the picture gets lighter."""
    y = luma(x)
    hue = palette(blur(y, 3), (0.1, 0.3, 1.0), (0.75, 0.1, 1.0), (1.0, 0.1, 0.65), (0.1, 0.95, 0.95))
    line = edges(x, 2)
    light = 0.22 * stretch(blur(y, 1)) + 0.9 * line + 0.8 * blur(line, 4)
    return (0.015 + light * hue + 0.35 * line * line).clamp(0, 1)


def pencil(x: Tensor) -> Tensor:
    """Graphite on white paper: diagonal hatching that gets darker with the shadows, and lines along the edges."""
    dark = 1 - stretch(blur(luma(x), 1))
    down, across = screen(x)
    hatch = 0.5 + 0.5 * torch.cos(down + across)
    shade = 0.97 - dark * (0.38 + 0.42 * hatch)
    return (shade * (1 - 0.6 * edges(x))).clamp(0, 1).expand(-1, 3, -1, -1)


def comic(x: Tensor) -> Tensor:
    """Flat strong colours, halftone dots in the middle tones, thick black outlines."""
    flat = saturate(blur(x, 2), 2.2)
    flat = torch.lerp(torch.sigmoid((flat - 0.45) * 7), flat, 0.35)
    down, across = screen(x)
    dots = torch.sigmoid(2.5 * (torch.cos(down) + torch.cos(across)))
    middle = (1 - ((blur(luma(x), 2) - 0.42) / 0.3).square()).clamp(0, 1)
    outline = torch.sigmoid((edges(x, 2) - 0.45) * 10)
    return (flat * (1 - 0.5 * middle * dots) * (1 - outline)).clamp(0, 1)


def pixel_art(x: Tensor) -> Tensor:
    """Squares of 8 pixels in few strong colours."""
    small = F.avg_pool2d(saturate(x, 1.5), 8)
    steps = (small * 4).round() / 4
    return F.interpolate(steps, scale_factor=8.0, mode="nearest")


def thermal(x: Tensor) -> Tensor:
    """Brightness as heat: indigo, violet, crimson, orange, yellow, white."""
    y = stretch(blur(luma(x), 2))
    return palette(y, (0.05, 0.0, 0.3), (0.45, 0.0, 0.6), (0.9, 0.1, 0.25), (1.0, 0.5, 0.0), (1.0, 0.9, 0.1), (1.0, 1.0, 0.9))


def night(x: Tensor) -> Tensor:
    """Moonlight: dark and blue."""
    y = luma(x)
    return (torch.lerp(y, x, 0.25) ** 1.3 * x.new_tensor([0.28, 0.4, 0.75])[:, None, None] + 0.01).clamp(0, 1)


def golden_hour(x: Tensor) -> Tensor:
    """Low sun: everything in amber, from deep red shadows to pale yellow light."""
    warm = palette(stretch(luma(x)), (0.2, 0.04, 0.02), (0.88, 0.36, 0.02), (1.0, 0.68, 0.08), (1.0, 0.94, 0.45))
    return (0.9 * warm + 0.1 * x * x.new_tensor([1.1, 0.8, 0.4])[:, None, None]).clamp(0, 1)


def underwater(x: Tensor) -> Tensor:
    """Turquoise haze: soft, low contrast, no red."""
    y = blur(luma(x), 1)
    water = palette(y, (0.0, 0.12, 0.32), (0.0, 0.42, 0.58), (0.15, 0.75, 0.78), (0.65, 0.98, 0.92))
    return (0.85 * water + 0.15 * x * x.new_tensor([0.3, 1.0, 1.0])[:, None, None]).clamp(0, 1)


def vintage(x: Tensor) -> Tensor:
    """Faded sepia print: lifted brown shadows, cream lights, little contrast."""
    return palette(stretch(luma(x)), (0.3, 0.23, 0.17), (0.54, 0.44, 0.33), (0.76, 0.67, 0.52), (0.92, 0.87, 0.74))


def ink_wash(x: Tensor) -> Tensor:
    """Black ink on rice paper: three soft tones, most of them paper, and dark strokes."""
    y = blur(luma(x), 2)
    tone = torch.sigmoid((y - 0.2) * 18) * 0.5 + torch.sigmoid((y - 0.42) * 18) * 0.5
    tone = (0.04 + 0.96 * tone) * (1 - 0.65 * edges(x, 2))
    return tone * x.new_tensor([0.97, 0.95, 0.89])[:, None, None]


FILTERS: dict[str, Filter] = {
    "neon": neon,
    "pencil": pencil,
    "comic": comic,
    "pixel_art": pixel_art,
    "thermal": thermal,
    "night": night,
    "golden_hour": golden_hour,
    "underwater": underwater,
    "vintage": vintage,
    "ink_wash": ink_wash,
}
# Style numbers of the teacher, by what is seen.
PAINTINGS: dict[str, int] = {
    "black_brush": 1,  # thick black brush lines on white and yellow
    "electric_strokes": 3,  # short strokes of electric blue, white and red on black
    "red_poster": 4,  # crimson and cream, a little sky blue
    "autumn_oil": 5,  # dabs of rust, orange and grey-blue
    "bold_oil": 7,  # blue, yellow and red on black
    "watercolour": 8,  # pink, yellow and turquoise on white paper
    "lilac_pastel": 12,  # soft lilac, peach and violet
    "green_woodcut": 13,  # lime, teal and red, fine cuts
    "blue_wash": 14,  # one pale blue, washed
    "stained_glass": 15,  # pale panes between thin dark lines
    "woodcut": 18,  # brown cuts in pale wood
    "blue_swirls": 19,  # dark blue and yellow, in swirls
    "red_engraving": 20,  # crimson and black
    "cut_paper": 21,  # sky blue, pink and yellow between heavy black
    "cubist": 22,  # grey-blue panes with some red, dark contours
    "indigo_print": 24,  # indigo on cream paper
}
STYLES: dict[str, Filter] = {**FILTERS, **{name: partial(paint, style=number) for name, number in PAINTINGS.items()}}
FAITHFUL = "faithful"
NAMES = (FAITHFUL, *STYLES)  # index 0 is the faithful repaint


def apply(name: str, x: Tensor) -> Tensor:
    """The look `name` of frames (T, 3, H, W) in [0, 1]; H and W are multiples of 16."""
    return x if name == FAITHFUL else STYLES[name](x)
