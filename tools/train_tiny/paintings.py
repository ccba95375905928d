"""Pictures with all their paintings, made once and kept on disk: what painted clips are cut from.

    python -m tools.train_tiny.paintings --folder DIR --count 600 [--pictures DIR]

Files that are there are kept, so that an interrupted run goes on and a larger count adds to them.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from . import styles
from .pictures import FOLDERS, drawn, photos

SIZE = 224  # pixels: little more than a training clip, so that a painting has the colours of what the clip shows
SMALLEST = 150  # pixels of a picture that are enlarged to SIZE


class Paintings:
    """The pictures of a folder: (1 + looks, 3, SIZE, SIZE) bytes each, the plain picture first, looks as in styles.PAINTINGS."""

    def __init__(self, folder: Path) -> None:
        self._files = sorted(folder.glob("*.npy"))
        if not self._files:
            raise SystemExit(f"{folder}: no pictures; run: python -m tools.train_tiny.paintings --folder {folder}")
        self._rows = {name: row for row, name in enumerate(styles.PAINTINGS, 1)}

    def __len__(self) -> int:
        return len(self._files)

    def draw(self, random: np.random.Generator, looks: list[str]) -> Tensor:
        """A random picture and its paintings in some looks, (3 * (1 + looks), SIZE, SIZE) in [0, 1]."""
        stored = np.load(self._files[random.integers(len(self._files))], mmap_mode="r")
        chosen = np.stack([stored[row] for row in (0, *(self._rows[look] for look in looks))])
        return torch.from_numpy(chosen).flatten(0, 1) / 255


def variation(seed: int) -> Tensor:
    """A part of a photograph or of a drawn scene, its colours varied, (3, SIZE, SIZE) in [0, 1]."""
    from .clips import grade

    random = np.random.default_rng([19, seed])
    if random.random() < 0.8:
        pictures = [picture for picture, weight in photos() for _ in range(weight)]
        picture = pictures[random.integers(len(pictures))]
    else:
        picture = drawn(5000 + seed)
    short = min(picture.shape[1:])
    side = int(random.uniform(min(SMALLEST, short), short + 1))
    y, x = (int(random.integers(0, length - side + 1)) for length in picture.shape[1:])
    part = F.interpolate(picture[None, :, y : y + side, x : x + side], (SIZE, SIZE), mode="bicubic", antialias=True)[0].clamp(
        0, 1
    )
    if random.random() < 0.5:
        part = part.flip(-1)
    return grade(random, part) if random.random() < 0.7 else part


def make(folder: Path, count: int) -> None:
    """Paint what is missing of the first `count` pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        file = folder / f"{seed:05d}.npy"
        if file.is_file():
            continue
        plain = variation(seed)
        stack = torch.cat([plain[None], *(styles.apply(name, plain[None]) for name in styles.PAINTINGS)])
        part = file.with_suffix(".part")
        with part.open("wb") as stream:
            np.save(stream, (stack * 255).round().byte().numpy())
        os.replace(part, file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--pictures", type=Path, help="a folder with further pictures (png, jpg)")
    options = parser.parse_args()
    if options.pictures:
        FOLDERS.append(options.pictures)
    make(options.folder, options.count)


if __name__ == "__main__":
    main()
