"""Remake the README's picture, examples/looks.png: `python -m tools.demo.looks`.

The bundled demo clip above what the embedded model makes of it, a column for each look, as `tools/demo.sh` shows them live.
Rendered rather than received, so that the picture depends on the model and the seed alone.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from sdv2_live.cli import main as sdv2_live
from sdv2_live.demo.demo import CLIP
from sdv2_live.demo.looks import LOOKS, SETTINGS
from sdv2_live.demo.sheet import Column, contact_sheet
from sdv2_live.demo.tap import picture
from sdv2_live.io.files.source import FileSource

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "examples" / "looks.png"
FRAME = 72  # of the clip: the look has settled, and both boats are in the picture
WIDTH = 1280  # pixels
COLOURS = 256
MAX_BYTES = 500_000


def frame_of(path: Path, index: int) -> np.ndarray:
    """One frame of a video file as RGB, uint8 (height, width, 3)."""
    with FileSource(path, realtime=False, loop=False) as video:
        for _ in range(index):
            video.read(1.0)
        frame = video.read(1.0)
    assert frame is not None
    return picture(frame)


def main() -> int:
    """Write the picture; the exit status is 1 when it came out too large for a repository."""
    before = frame_of(CLIP, FRAME)
    columns: list[Column] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, prompt in LOOKS.items():
            video = Path(folder, f"{len(columns)}.mkv")
            rendering = ("render", "--input", str(CLIP), "--output", str(video), "--max-frames", str(FRAME + 1))
            settings = [part for setting in SETTINGS for part in ("--set", setting)]
            if status := sdv2_live([*rendering, *settings, "--model", "tiny", "--prompt", prompt]):
                return status
            columns.append((f"{name}: {prompt}", before, frame_of(video, FRAME)))
        sheet = Path(folder, "sheet.png")
        contact_sheet(columns, sheet)
        with Image.open(sheet) as whole:
            small = whole.resize((WIDTH, whole.height * WIDTH // whole.width), Image.Resampling.LANCZOS)
    palette = small.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE)  # Pillow dithers only to a palette that it is given
    small.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(TARGET, optimize=True)
    size = TARGET.stat().st_size
    print(f"{TARGET.relative_to(ROOT)}: {small.width}x{small.height}, {size // 1000} kB")
    return int(size > MAX_BYTES)


if __name__ == "__main__":
    sys.exit(main())
