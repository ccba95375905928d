"""Interlaced files show whole pictures: a moving edge has no combs, and is where the first field saw it."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.filter import Graph
from support.clips import grey

from sdv2_live.cli import main
from sdv2_live.frame import Frame
from sdv2_live.io.files.clip import Clip
from sdv2_live.io.files.deinterlace import deinterlaced
from sdv2_live.io.files.source import FileSource

HEIGHT, WIDTH = 96, 160
FRAMES, RATE = 8, Fraction(25)
STEP = 8  # columns that the edge moves from one frame to the next, half of it from field to field
ILME, ILDCT = 0x20000000, 0x40000  # AV_CODEC_FLAG_INTERLACED_ME, _DCT

# Broadcast transport streams and MXF, cameras' AVCHD, editors' ProRes.
KINDS = [
    ("ts", "libx264", "yuv420p", "tff"),
    ("mp4", "libx264", "yuv420p", "bff"),
    ("mpg", "mpeg2video", "yuv420p", "bff"),
    ("mxf", "mpeg2video", "yuv422p", "tff"),
    ("mov", "prores_ks", "yuv422p10le", "tff"),
]


def bar(left: int) -> np.ndarray:
    picture = grey(30, HEIGHT, WIDTH)
    picture[:, left : left + 40] = 220
    return picture


def woven(index: int, first: str) -> np.ndarray:
    """Two fields of a moving bar, half a frame apart. first: "tff", the top field is the first, or "bff"."""
    picture = bar(STEP * index)
    second = slice(int(first == "tff"), None, 2)
    picture[second] = bar(STEP * index + STEP // 2)[second]
    return picture


class Flag:
    """Has frames say how they are to be shown, as decoders do: only a filter of FFmpeg can tell them."""

    def __init__(self, mode: str, pix_fmt: str = "yuv420p", size: tuple[int, int] = (HEIGHT, WIDTH)) -> None:
        self._mode, self._pix_fmt, self._size = mode, pix_fmt, size
        self._graph = Graph()
        buffer = self._graph.add("buffer", f"video_size={size[1]}x{size[0]}:pix_fmt={pix_fmt}:time_base={1 / RATE}")
        setfield, sink = self._graph.add("setfield", mode=mode), self._graph.add("buffersink")
        buffer.link_to(setfield)
        setfield.link_to(sink)
        self._graph.configure()

    def frame(self, index: int) -> av.VideoFrame:
        """The moving bar; without fields where the mode is "prog"."""
        height, width = self._size
        frame = av.VideoFrame.from_ndarray(woven(index, self._mode)[:height, :width], "rgb24").reformat(format=self._pix_fmt)
        frame.pts, frame.time_base = index, 1 / RATE
        self._graph.push(frame)
        return self._graph.vpull()


def write(path: Path, codec: str, pix_fmt: str, first: str, aspect: Fraction | None = None) -> None:
    flag = Flag(first, pix_fmt)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pix_fmt
        stream.codec_context.flags |= ILME | ILDCT
        stream.codec_context.bit_rate = 20_000_000
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for index in range(FRAMES):
            container.mux(stream.encode(flag.frame(index)))
        container.mux(stream.encode(None))


def luma(frame: Frame) -> np.ndarray:
    return frame.data.reshape(frame.height, frame.width, 4)[..., 1].astype(int)


def combing(picture: np.ndarray) -> int:
    """How far a line of (height, width) is from the mean of those beside it, at most."""
    return int(np.abs(picture[1:-1] - (picture[:-2] + picture[2:]) / 2).max())


def assert_whole(pictures: Iterable[np.ndarray]) -> None:
    for index, picture in enumerate(pictures):
        assert combing(picture) < 30, index
        lit = np.flatnonzero(picture[HEIGHT // 2] > 125)
        assert abs(lit[0] - STEP * index) <= 1, index


def read(source: FileSource, count: int) -> list[Frame]:
    frames: list[Frame] = []
    while len(frames) < count:
        frame = source.read(1.0)
        if frame is not None:
            frames.append(frame)
    return frames


@pytest.mark.parametrize(("suffix", "codec", "pix_fmt", "first"), KINDS, ids=[kind[0] for kind in KINDS])
def test_a_moving_edge_has_no_combs(tmp_path: Path, suffix: str, codec: str, pix_fmt: str, first: str) -> None:
    path = tmp_path / f"a.{suffix}"
    write(path, codec, pix_fmt, first)
    with av.open(str(path)) as container:
        assert all(combing(frame.to_ndarray(format="gray").astype(int)) > 100 for frame in container.decode(video=0))
    with FileSource(path, realtime=False, loop=False) as source:
        frames = read(source, FRAMES)
        assert source.read(0) is None
        assert source.ended
    assert {frame.size for frame in frames} == {(HEIGHT, WIDTH)}
    assert [frame.captured_ns for frame in frames] == [index * 40_000_000 for index in range(FRAMES)]
    assert_whole(map(luma, frames))


def test_every_round_is_whole_and_pixels_become_square_live(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    write(path, "libx264", "yuv420p", "tff", Fraction(3, 2))
    with FileSource(path) as source:
        frames = read(source, 2 * FRAMES)
    assert {frame.size for frame in frames} == {(HEIGHT, WIDTH * 3 // 2)}
    assert all(combing(luma(frame)) < 30 for frame in frames)
    for one, again in zip(frames[:FRAMES], frames[FRAMES:], strict=True):
        assert np.array_equal(one.data, again.data)


def test_render_gives_whole_pictures(tmp_path: Path) -> None:
    source, out = tmp_path / "a.ts", tmp_path / "out.mkv"
    write(source, "libx264", "yuv420p", "tff")
    tiny = ["--model", "tiny", "--device", "cpu", "--set", "params.mix=0"]
    assert main(["render", *tiny, "--input", str(source), "--output", str(out)]) == 0
    with FileSource(out, realtime=False, loop=False) as video:
        frames = read(video, FRAMES)
    assert_whole(map(luma, frames))
    assert [frame.captured_ns / 1e9 for frame in frames] == pytest.approx([index / 25 for index in range(FRAMES)], abs=0.0021)


def test_progressive_frames_among_others_stay_as_they_are() -> None:
    flags = {mode: Flag(mode) for mode in ("prog", "tff", "bff")}
    modes = ["prog", "prog", "tff", "tff", "prog", "prog", "bff"]
    given = [flags[mode].frame(index) for index, mode in enumerate(modes)]
    shown = list(deinterlaced(given))
    assert [frame.time for frame in shown] == [frame.time for frame in given]
    for mode, before, after in zip(modes, given, shown, strict=True):
        same = np.array_equal(before.to_ndarray(), after.to_ndarray())
        assert same is (mode == "prog")
        assert (combing(after.to_ndarray(format="gray").astype(int)) < 30) is (mode != "prog")


@pytest.mark.parametrize("count", [0, 1, 2])
def test_no_frame_is_lost_however_few_there_are(count: int) -> None:
    flag = Flag("bff")
    shown = list(deinterlaced(flag.frame(index) for index in range(count)))
    assert [frame.time for frame in shown] == [index / 25 for index in range(count)]


def test_a_new_size_in_the_midst_loses_none() -> None:
    wide, narrow = Flag("tff"), Flag("tff", size=(HEIGHT, WIDTH - 32))
    given = [flag.frame(index) for index, flag in enumerate((wide, wide, narrow, narrow, wide))]
    shown = list(deinterlaced(given))
    assert [(frame.width, frame.time) for frame in shown] == [(frame.width, frame.time) for frame in given]


def test_what_a_file_lacks_is_told_of_interlaced_files_too(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write(path, *KINDS[1][1:])
    clip = Clip(path)
    while clip.read() is not None:
        pass
    assert clip.shortfall == ""
    clip.close()
