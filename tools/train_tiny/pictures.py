"""Still pictures to train on: freely licensed photographs that ship in Python packages, and drawn scenes.

Nothing is downloaded. PHOTOS names every file with its licence; the held-out ones are for evaluation only.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFilter
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Photo:
    """One file inside an installed package. weight: how often it is taken. held_out: never trained on."""

    package: str
    path: str
    licence: str
    weight: int = 3
    held_out: bool = False


PHOTOS = (
    Photo("skimage", "data/astronaut.png", "NASA, public domain", 4),
    Photo("skimage", "data/chelsea.png", "CC0, Stefan van der Walt", 4),
    Photo("skimage", "data/coffee.png", "CC0, Rachel Michetti", 4),
    Photo("skimage", "data/camera.png", "CC0, Lav Varshney", 4),
    Photo("sklearn", "datasets/images/china.jpg", "CC BY 2.0, danielbuechele (flickr.com/photos/danielbuechele/6061409035)", 4),
    Photo("skimage", "data/rocket.jpg", "public domain, SpaceX"),
    Photo("skimage", "data/hubble_deep_field.jpg", "NASA, public domain", 1),
    Photo("skimage", "data/ihc.png", "no known copyright restrictions, Center for Microscopy and Molecular Imaging", 1),
    Photo("skimage", "data/retina.jpg", "CC0, Mikael Haggstrom", 1),
    Photo("skimage", "data/grass.png", "CC0, linolafett", 1),
    Photo("skimage", "data/gravel.png", "CC0, cc0textures.com", 1),
    Photo("skimage", "data/brick.png", "CC0, cc0textures.com", 1),
    Photo("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", "US Navy, public domain", held_out=True),
    Photo(
        "sklearn", "datasets/images/flower.jpg", "CC BY 2.0, vultilion (flickr.com/photos/vultilion/6056698931)", held_out=True
    ),
)

FOLDERS: list[Path] = []  # further pictures to train on, in no package


def _root(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package} is not installed; run: pip install scikit-image scikit-learn matplotlib")
    return Path(spec.origin).parent


@cache
def photos(held_out: bool = False) -> tuple[tuple[Tensor, int], ...]:
    """All photographs of one side of the split, (3, H, W) in [0, 1], with their weights."""
    chosen = [(_root(photo.package) / photo.path, photo.weight) for photo in PHOTOS if photo.held_out is held_out]
    if not held_out:
        chosen += [(file, 2) for folder in FOLDERS for file in sorted(folder.iterdir()) if file.suffix in (".png", ".jpg")]
    images = [(np.array(Image.open(file).convert("RGB")), weight) for file, weight in chosen]
    return tuple((torch.from_numpy(image).permute(2, 0, 1) / 255, weight) for image, weight in images)


def drawn(seed: int, size: int = 400) -> Tensor:
    """A drawn scene (3, size, size) in [0, 1]: gradient or cloud ground, then shapes, letters, or a face-like figure."""
    random = np.random.default_rng(seed)
    image = Image.fromarray(_ground(random, size))
    draw = ImageDraw.Draw(image)
    for _ in range(random.integers(3, 14)):
        _shape(draw, random, size)
    kind = random.integers(3)
    if kind == 0:
        _letters(draw, random, size)
    elif kind == 1:
        _face(draw, random, size)
    if random.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(float(random.uniform(0.5, 2.0))))
    pixels = np.asarray(image, np.float32) / 255
    return torch.from_numpy(np.clip(pixels + random.normal(0, 0.01, pixels.shape), 0, 1).astype(np.float32)).permute(2, 0, 1)


def _ground(random: np.random.Generator, size: int) -> np.ndarray:
    """Two colours mixed by a ramp and by smooth noise of several scales, uint8 (size, size, 3)."""
    y, x = np.mgrid[:size, :size] / size
    angle = random.uniform(0, 2 * np.pi)
    mix = 0.5 + 0.5 * (np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5))
    for cells in (3, 8, 24, 80)[: random.integers(1, 5)]:
        noise = torch.from_numpy(random.normal(0, 1, (1, 1, cells, cells)))
        mix = mix + F.interpolate(noise, size=(size, size), mode="bicubic")[0, 0].numpy() * random.uniform(0, 0.25)
    mix = np.clip(mix, 0, 1)[..., None]
    low, high = random.integers(0, 256, 3), random.integers(0, 256, 3)
    return (low * (1 - mix) + high * mix).astype(np.uint8)


def _colour(random: np.random.Generator) -> tuple[int, int, int]:
    r, g, b = (int(value) for value in random.integers(0, 256, 3))
    return r, g, b


def _shape(draw: ImageDraw.ImageDraw, random: np.random.Generator, size: int) -> None:
    x, y = random.uniform(0, size, 2)
    w, h = random.uniform(size / 20, size / 2.5, 2)
    kind, colour = random.integers(4), _colour(random)
    if kind == 0:
        draw.ellipse((x - w / 2, y - h / 2, x + w / 2, y + h / 2), fill=colour)
    elif kind == 1:
        draw.rectangle((x - w / 2, y - h / 2, x + w / 2, y + h / 2), fill=colour)
    elif kind == 2:
        points = [(x + random.uniform(-w, w), y + random.uniform(-h, h)) for _ in range(random.integers(3, 6))]
        draw.polygon(points, fill=colour)
    else:
        draw.line(
            (x, y, x + random.uniform(-w, w) * 2, y + random.uniform(-h, h) * 2), fill=colour, width=int(random.integers(1, 12))
        )


def _letters(draw: ImageDraw.ImageDraw, random: np.random.Generator, size: int) -> None:
    for _ in range(random.integers(1, 5)):
        text = "".join(chr(c) for c in random.integers(65, 91, random.integers(2, 9)))
        place = (float(random.uniform(0, size * 0.6)), float(random.uniform(0, size * 0.9)))
        draw.text(place, text, fill=_colour(random), font_size=float(random.uniform(14, 90)))


def _face(draw: ImageDraw.ImageDraw, random: np.random.Generator, size: int) -> None:
    """Hair, head, eyes, brows, nose, mouth and shoulders as ellipses and lines, in skin-like tones."""
    x, y, r = random.uniform(0.35, 0.65) * size, random.uniform(0.35, 0.55) * size, random.uniform(0.15, 0.3) * size
    tone = random.uniform(0.25, 1.0)
    skin = (int(235 * tone), int(195 * tone), int(165 * tone))
    dark = tuple(int(c * 0.55) for c in skin)

    def oval(cx: float, cy: float, rx: float, ry: float, fill: tuple[int, ...]) -> None:
        draw.ellipse((x + cx * r - rx * r, y + cy * r - ry * r, x + cx * r + rx * r, y + cy * r + ry * r), fill=fill)

    oval(0, 2.6, 1.9, 1.3, _colour(random))
    oval(0, -0.15, 1.1, 1.35, tuple(int(c) for c in random.integers(10, 120, 3)))
    oval(0, 1.1, 0.45, 0.7, dark)
    oval(0, 0.1, 0.85, 1.15, skin)
    for side in (-0.36, 0.36):
        oval(side, -0.1, 0.2, 0.11, (240, 240, 240))
        oval(side, -0.1, 0.09, 0.1, tuple(int(c) for c in random.integers(0, 110, 3)))
        draw.line(
            (x + (side - 0.2) * r, y - 0.35 * r, x + (side + 0.2) * r, y - 0.38 * r), fill=dark, width=max(2, int(0.06 * r))
        )
    draw.line((x, y - 0.05 * r, x - 0.08 * r, y + 0.35 * r), fill=dark, width=max(1, int(0.04 * r)))
    oval(0, 0.7, 0.32, float(random.uniform(0.05, 0.16)), (150, 50, 60))
