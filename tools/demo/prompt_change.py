"""Remake the manual's picture of each way to change a prompt: `python -m tools.demo.prompt_change`.

One row a way, one column a chunk after the change, rendered by the embedded model from the demo clip, or from `--input CLIP`.
The manual's is small; the same larger is out/prompt_change.png.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml
from PIL import Image, ImageDraw, ImageFont, ImageOps

from sdv2_live.cli import main as sdv2_live
from sdv2_live.demo.demo import CLIP
from sdv2_live.demo.sheet import BACKGROUND, INK
from sdv2_live.demo.tap import picture
from sdv2_live.io.files.source import FileSource

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "sdv2_live" / "manual" / "pictures" / "prompt-change.jpg"
LARGE = ROOT / "out" / "prompt_change.png"
CHUNK = 4
CHANGE = 1 + 9 * CHUNK  # the frame with which a chunk begins, long after the first has settled
WAYS: dict[str, dict[str, str | int | float]] = {  # what is written with the new prompt
    "soft": {"prompt_change": "soft"},
    "soft, transition_chunks 8": {"prompt_change": "soft", "transition_chunks": 8},
    "cut": {"prompt_change": "cut"},
    "flush": {"prompt_change": "flush"},
    "recache": {"prompt_change": "recache"},
    "soft, memory 0.1": {"prompt_change": "soft", "memory": 0.1},
}
SETTINGS = ("--set", "params.noise_scale=0.7", "--set", "params.steps=[700, 500]")  # with which the past counts
AFTER = (-1, 0, 1, 2, 4, 8)  # chunks after the change, of which the last frame is shown
FROM, TO = "underwater, deep under clear tropical water", "thermal camera, a heat map in false colours"
SMALL_WIDTH, LARGE_WIDTH, MARGIN, LABEL = 200, 320, 8, 22  # pixels of a cell, between cells, of a line of text


def rendered(clip: Path, way: dict[str, str | int | float], folder: Path) -> list[np.ndarray]:
    """The shown frames of one way, RGB, uint8 (height, width, 3)."""
    timeline, video = folder / "change.yaml", folder / "change.mkv"
    with FileSource(clip, realtime=False, loop=False) as source:
        first = source.read(1.0)
    assert first is not None
    events = [{"at": CHANGE / float(first.rate), "set": {**way, "prompt": TO}}]
    timeline.write_text(yaml.safe_dump({"duration": 60, "events": events}), encoding="utf-8")
    frames = [CHANGE + CHUNK * chunk + CHUNK - 1 for chunk in AFTER]
    options = (*SETTINGS, "--prompt", FROM, "--timeline", str(timeline), "--max-frames", str(frames[-1] + 1))
    if status := sdv2_live(["render", "--model", "tiny", "--input", str(clip), "--output", str(video), *options]):
        sys.exit(status)
    with FileSource(video, realtime=False, loop=False) as source:
        read = [source.read(1.0) for _ in range(frames[-1] + 1)]
    return [picture(frame) for index in frames if (frame := read[index]) is not None]


def sheet(rows: dict[str, list[np.ndarray]], width: int) -> Image.Image:
    """The pictures of every way, each so wide."""
    height, columns = width * 9 // 16, len(AFTER)
    size = (columns * (width + MARGIN) + MARGIN, len(rows) * (height + LABEL + MARGIN) + LABEL + MARGIN)
    made = Image.new("RGB", size, BACKGROUND)
    draw, font = ImageDraw.Draw(made), ImageFont.load_default(14)
    for column, chunk in enumerate(AFTER):
        when = "before" if chunk < 0 else f"chunk {chunk + 1}"
        draw.text((MARGIN + column * (width + MARGIN), MARGIN), when, INK, font)
    for row, (name, pictures) in enumerate(rows.items()):
        y = LABEL + MARGIN + row * (height + LABEL + MARGIN)
        draw.text((MARGIN, y), name, INK, font)
        for column, shown in enumerate(pictures):
            cell = ImageOps.fit(Image.fromarray(shown), (width, height), Image.Resampling.LANCZOS)
            made.paste(cell, (MARGIN + column * (width + MARGIN), y + LABEL))
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--input", type=Path, metavar="CLIP", help="write out/prompt_change.png alone, from this video")
    clip = parser.parse_args(arguments).input
    with tempfile.TemporaryDirectory() as folder:
        rows = {name: rendered(clip or CLIP, way, Path(folder)) for name, way in WAYS.items()}
    LARGE.parent.mkdir(exist_ok=True)
    for path, width in [(LARGE, LARGE_WIDTH), *([] if clip else [(TARGET, SMALL_WIDTH)])]:
        made = sheet(rows, width)
        made.save(path, quality=85)
        print(f"{path.relative_to(ROOT)}: {made.width}x{made.height}, {path.stat().st_size // 1000} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
