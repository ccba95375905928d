"""Remake the pictures of the shipped presets: `python -m tools.demo.preset_pictures`.

What the embedded model makes of the program's own test card with each preset: its bars, balls and landscape show more of a look
than the calm demo clip, and need no file.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from sdv2_live.cli import main as sdv2_live
from sdv2_live.config.schema_files import config_dir
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.presets.pictures import path_of, write_picture
from sdv2_live.io.files.sink import FileSink
from sdv2_live.io.files.source import FileSource
from sdv2_live.io.jpeg import JpegEncoder
from sdv2_live.io.synthetic import TestSource

FRAMES = 25  # of the card: the look has settled
SIZE = 288, 512  # (height, width) of the card
WIDTH = 320  # pixels; smaller than a show's own, as they lie in the repository
MODEL = "tiny"
MAX_BYTES = 200_000  # of all


def main() -> int:
    """Write the pictures; the exit status is 1 when they came out too large for a repository."""
    size = 0
    with tempfile.TemporaryDirectory() as folder:
        card = Path(folder, "card.mkv")
        with TestSource(*SIZE, realtime=False) as source, FileSink(card, offline=True) as sink:
            for _ in range(FRAMES):
                frame = source.read(1.0)
                assert frame is not None
                sink.send(frame)
        for preset in PresetLibrary(config_dir() / "presets").presets:
            video = Path(folder, f"{preset.number}.mkv")
            rendering = ("render", "--input", str(card), "--output", str(video))
            if status := sdv2_live([*rendering, "--model", MODEL, "--preset", preset.name]):
                return status
            with FileSource(video, realtime=False, loop=False) as frames:
                frame = None
                while not frames.ended:
                    frame = frames.read(1.0) or frame
            assert frame is not None
            write_picture(preset.path, JpegEncoder(WIDTH)(frame), MODEL)
            size += path_of(preset.path).stat().st_size
            print(f"{path_of(preset.path).name}: {path_of(preset.path).stat().st_size // 1000} kB")
    return int(size > MAX_BYTES)


if __name__ == "__main__":
    sys.exit(main())
