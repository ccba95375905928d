"""Remake the pictures of the shipped presets: `python -m tools.demo.preset_pictures`.

What the embedded model makes of the bundled demo clip with each preset, as `/sdv2/preset/picture` would take it from a show.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from sdv2_live.cli import main as sdv2_live
from sdv2_live.config.schema_files import config_dir
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.presets.pictures import path_of, write_picture
from sdv2_live.io.files.source import FileSource
from sdv2_live.io.jpeg import JpegEncoder

from .main import CLIP

FRAME = 73  # of the clip: the look has settled, and both boats are in the picture
WIDTH = 320  # pixels; smaller than a show's own, as they lie in the repository
MODEL = "tiny"
MAX_BYTES = 200_000  # of all


def main() -> int:
    """Write the pictures; the exit status is 1 when they came out too large for a repository."""
    size = 0
    with tempfile.TemporaryDirectory() as folder:
        for preset in PresetLibrary(config_dir() / "presets").presets:
            video = Path(folder, f"{preset.number}.mkv")
            rendering = ("render", "--input", str(CLIP), "--output", str(video), "--max-frames", str(FRAME))
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
