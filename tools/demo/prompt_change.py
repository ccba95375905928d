"""Remake the manual's picture of each way to change a prompt: `python -m tools.demo.prompt_change`.

One row a way, one column a chunk after the change, rendered from the demo clip by the embedded model.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml
from PIL import Image, ImageDraw, ImageFont

from sdv2_live.cli import main as sdv2_live
from sdv2_live.demo.demo import CLIP
from sdv2_live.demo.sheet import BACKGROUND, INK
from sdv2_live.demo.tap import picture
from sdv2_live.io.files.source import FileSource

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "sdv2_live" / "manual" / "pictures" / "prompt-change.jpg"
RATE = 30  # frames a second of the clip
CHUNK = 4
CHANGE = 1 + 9 * CHUNK  # the frame with which a chunk begins, long after the first has settled
WAYS: dict[str, dict[str, str | int]] = {  # what is written with the new prompt
    "soft": {"prompt_change": "soft"},
    "soft, transition_chunks 8": {"prompt_change": "soft", "transition_chunks": 8},
    "cut": {"prompt_change": "cut"},
}
AFTER = (-1, 0, 1, 2, 4, 8)  # chunks after the change, of which the last frame is shown
FROM, TO = "underwater, deep under clear tropical water", "thermal camera, a heat map in false colours"
WIDTH, MARGIN, LABEL = 200, 8, 22  # pixels of a cell, between cells, of a line of text


def rendered(way: dict[str, str | int], folder: Path) -> list[np.ndarray]:
    """The shown frames of one way, RGB, uint8 (height, width, 3)."""
    timeline, video = folder / "change.yaml", folder / "change.mkv"
    events = [{"at": CHANGE / RATE, "set": {**way, "prompt": TO}}]
    timeline.write_text(yaml.safe_dump({"duration": 60, "events": events}), encoding="utf-8")
    frames = [CHANGE + CHUNK * chunk + CHUNK - 1 for chunk in AFTER]
    options = ("--prompt", FROM, "--timeline", str(timeline), "--max-frames", str(frames[-1] + 1))
    if status := sdv2_live(["render", "--model", "tiny", "--input", str(CLIP), "--output", str(video), *options]):
        sys.exit(status)
    with FileSource(video, realtime=False, loop=False) as source:
        read = [source.read(1.0) for _ in range(frames[-1] + 1)]
    return [picture(frame) for index in frames if (frame := read[index]) is not None]


def main() -> int:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        rows = {name: rendered(way, Path(folder)) for name, way in WAYS.items()}
    height = WIDTH * 9 // 16
    columns = len(AFTER)
    size = (columns * (WIDTH + MARGIN) + MARGIN, len(rows) * (height + LABEL + MARGIN) + LABEL + MARGIN)
    sheet = Image.new("RGB", size, BACKGROUND)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for column, chunk in enumerate(AFTER):
        when = "before" if chunk < 0 else f"chunk {chunk + 1}"
        draw.text((MARGIN + column * (WIDTH + MARGIN), MARGIN), when, INK, font)
    for row, (name, pictures) in enumerate(rows.items()):
        y = LABEL + MARGIN + row * (height + LABEL + MARGIN)
        draw.text((MARGIN, y), name, INK, font)
        for column, shown in enumerate(pictures):
            cell = Image.fromarray(shown).resize((WIDTH, height), Image.Resampling.LANCZOS)
            sheet.paste(cell, (MARGIN + column * (WIDTH + MARGIN), y + LABEL))
    sheet.save(TARGET, quality=85)
    print(f"{TARGET.relative_to(ROOT)}: {sheet.width}x{sheet.height}, {TARGET.stat().st_size // 1000} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
