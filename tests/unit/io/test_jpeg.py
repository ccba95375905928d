"""JPEGs of frames, read again by another library (Pillow's libjpeg)."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.jpeg import JpegEncoder


@pytest.mark.parametrize("layout", list(PixelFormat))
@pytest.mark.parametrize(
    ("size", "made"), [((96, 160), (160, 96)), ((540, 960), (320, 180)), ((97, 162), (162, 96)), ((2, 2), (2, 2))]
)
def test_a_jpeg_has_the_colours_of_the_frame(layout: PixelFormat, size: tuple[int, int], made: tuple[int, int]) -> None:
    """Against numbers written down here: pure colours in four quarters, in every layout."""
    height, width = size
    wanted = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "grey": (128, 128, 128)}
    uyvy = {"red": (102, 63, 240, 63), "green": (42, 173, 26, 173), "blue": (240, 32, 118, 32), "grey": (128, 126, 128, 126)}
    encoder = JpegEncoder(320)
    for name, (red, green, blue) in wanted.items():
        pixel = {
            PixelFormat.UYVY: uyvy[name],
            PixelFormat.BGRA: (blue, green, red, 255),
            PixelFormat.BGRX: (blue, green, red, 7),
            PixelFormat.RGBA: (red, green, blue, 255),
            PixelFormat.RGBX: (red, green, blue, 7),
        }[layout]
        row = np.tile(np.array(pixel, np.uint8), width * layout.bytes_per_pixel // 4)
        rows = np.zeros((height, row.size + 64), np.uint8)  # with a stride of its own
        rows[:, : row.size] = row
        rows.flags.writeable = False
        jpeg = encoder(Frame(rows, width, height, layout))
        picture = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"), np.int16)
        assert picture.shape == (made[1], made[0], 3)
        assert np.abs(picture.mean((0, 1)) - (red, green, blue)).max() < 6, name
