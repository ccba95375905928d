"""Input frames come back byte for byte, whatever their layout, size and stride."""

from __future__ import annotations

import errno
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from support.systems import words

from sdv2_live.errors import TakeError
from sdv2_live.frame import ColorMatrix, ColorRange, ColorSpec, Frame, PixelFormat
from sdv2_live.takes.format import FrameId, Video
from sdv2_live.takes.video import VideoReader, VideoWriter

RNG = np.random.default_rng(0)


def noise(format: PixelFormat, height: int = 30, width: int = 46, padding: int = 0, **keys: object) -> Frame:
    """Every byte at random, so that any conversion shows."""
    data = RNG.integers(0, 256, (height, width * format.bytes_per_pixel + padding), np.uint8)
    return Frame(data, width, height, format, **keys)  # type: ignore[arg-type]


def stored(folder: Path, frames: list[Frame], lossless: bool = True) -> list[tuple[FrameId, Video | None]]:
    writer = VideoWriter(folder, lossless=lossless)
    placed = [writer.write(frame) for frame in frames]
    writer.close()
    return placed


def back(folder: Path, placed: list[tuple[FrameId, Video | None]], lossless: bool = True) -> list[Frame | None]:
    reader = VideoReader(folder, lossless=lossless)
    frames = []
    for place, video in placed:
        if video is not None:
            reader.begin(video)
        frames.append(reader.read(place))
    return frames


def meaningful(frame: Frame) -> np.ndarray:
    rows = frame.data[:, : frame.width * frame.format.bytes_per_pixel]
    if frame.format in (PixelFormat.BGRX, PixelFormat.RGBX):
        return rows.reshape(frame.height, frame.width, 4)[..., :3]
    return rows


@pytest.mark.parametrize("format", PixelFormat)
@pytest.mark.parametrize(("height", "width"), [(30, 46), (17, 33), (16, 16)])
def test_every_layout_comes_back_exactly(tmp_path: Path, format: PixelFormat, height: int, width: int) -> None:
    width += width % 2 if format is PixelFormat.UYVY else 0
    color = ColorSpec(ColorMatrix.BT601, ColorRange.FULL)
    rate = Fraction(2997002997, 100_000_000)  # as some senders write 30000/1001
    given = [noise(format, height, width, 12 * (i % 2), color=color, rate=rate, captured_ns=i, index=3 * i) for i in range(4)]
    for was, now in zip(given, back(tmp_path, stored(tmp_path, given)), strict=True):
        assert now is not None
        np.testing.assert_array_equal(meaningful(now), meaningful(was))
        assert (now.format, now.size, now.color) == (format, (height, width), color)
        assert (now.rate, now.captured_ns, now.index) == (was.rate, was.captured_ns, was.index)


def test_a_change_of_size_layout_or_colour_starts_a_new_file(tmp_path: Path) -> None:
    kinds = [
        noise(PixelFormat.UYVY),
        noise(PixelFormat.UYVY),
        noise(PixelFormat.UYVY, 32, 46),
        noise(PixelFormat.RGBX, 32, 46),
        noise(PixelFormat.RGBX, 32, 46),
        noise(PixelFormat.UYVY),
        noise(PixelFormat.UYVY, color=ColorSpec(range=ColorRange.FULL)),
    ]
    placed = stored(tmp_path, kinds)
    assert [(place.video, place.frame) for place, _ in placed] == [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1), (3, 0), (4, 0)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"input-00{i}.mkv" for i in range(5)]
    for was, now in zip(kinds, back(tmp_path, placed), strict=True):
        assert now is not None
        np.testing.assert_array_equal(meaningful(now), meaningful(was))


def test_a_file_that_ends_early_or_is_another_is_told(tmp_path: Path) -> None:
    placed = stored(tmp_path, [noise(PixelFormat.UYVY)] * 2)
    more = FrameId(video=0, frame=2, captured_ns=0, rate="30/1", index=0)
    assert back(tmp_path, [*placed, (more, None)])[2] is None
    with pytest.raises(TakeError, match="frame 2 of input 0 does not follow"):
        back(tmp_path, [placed[0], (more, None)])
    first, video = placed[0]
    assert video is not None
    with pytest.raises(TakeError, match=r"input-000\.mkv: holds 46x30 yuv422p in place of the 46x30 bgr0"):
        back(tmp_path, [(first, video.model_copy(update={"format": PixelFormat.RGBX}))])
    (tmp_path / "input-000.mkv").write_bytes(b"no video")
    with pytest.raises(TakeError, match=r"input-000\.mkv: cannot be read"):
        back(tmp_path, placed)
    (tmp_path / "input-000.mkv").unlink()
    with pytest.raises(TakeError, match=rf"input-000\.mkv: cannot be read: {words(errno.ENOENT)}"):
        back(tmp_path, placed)


def test_with_loss_pictures_are_similar(tmp_path: Path) -> None:
    flat = Frame(np.full((48, 64 * 4), 90, np.uint8), 64, 48, PixelFormat.RGBX)
    placed = stored(tmp_path, [flat] * 3, lossless=False)
    assert (tmp_path / "input-000.mp4").is_file()
    for frame in back(tmp_path, placed, lossless=False):
        assert frame is not None
        assert np.abs(meaningful(frame).astype(int) - 90).max() <= 3
