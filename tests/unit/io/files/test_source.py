"""Video files: what is written comes back, what is broken is said."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from support.pictures import assert_like, bars, to_uyvy, with_fourth
from support.systems import needs_full_disk

from sdv2_live.errors import VideoError
from sdv2_live.frame import ColorMatrix, ColorRange, ColorSpec, Frame, PixelFormat
from sdv2_live.io.files.sink import FileSink
from sdv2_live.io.files.source import FileSource


def numbered(index: int, height: int = 48, width: int = 64) -> np.ndarray:
    """RGB bars whose last rows are a grey that tells the index."""
    picture = bars(height, width)
    picture[height // 2 :] = 20 + 10 * index
    return picture


def rgbx(rgb: np.ndarray, rate: Fraction = Fraction(25), pad: int = 0) -> Frame:
    rows = np.pad(with_fourth(rgb).reshape(rgb.shape[0], -1), ((0, 0), (0, pad)), constant_values=3)
    return Frame(rows, rgb.shape[1], rgb.shape[0], PixelFormat.RGBX, rate)


def rgb_of(frame: Frame) -> np.ndarray:
    assert frame.format is PixelFormat.RGBX
    return frame.data[:, : 4 * frame.width].reshape(frame.height, frame.width, 4)[..., :3]


def write(path: Path, frames: list[Frame]) -> None:
    with FileSink(path) as sink:
        for frame in frames:
            sink.send(frame)


def read_all(path: Path) -> list[Frame]:
    frames = []
    with FileSource(path, realtime=False, loop=False) as source:
        while not source.ended:
            frame = source.read(0)
            assert frame is not None
            frames.append(frame)
        assert source.read(0) is None
    return frames


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_every_frame_comes_back_in_order(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip{suffix}"
    write(path, [rgbx(numbered(i), Fraction(30000, 1001), pad=12) for i in range(13)])
    frames = read_all(path)
    assert [frame.index for frame in frames] == list(range(13))
    for i, frame in enumerate(frames):
        assert frame.rate == Fraction(30000, 1001)
        if suffix == ".mkv":
            assert np.array_equal(rgb_of(frame), numbered(i))
        else:
            assert_like(rgb_of(frame)[30:], numbered(i)[30:], bar_edges=False)
            assert_like(rgb_of(frame)[:20], numbered(i)[:20])
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("format", list(PixelFormat))
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_every_layout_keeps_its_colours(tmp_path: Path, suffix: str, format: PixelFormat) -> None:
    picture = bars(48, 128)
    rows = to_uyvy(picture) if format is PixelFormat.UYVY else with_fourth(picture, format.name[:3]).reshape(48, -1)
    write(tmp_path / f"a{suffix}", [Frame(rows, 128, 48, format)] * 2)
    for frame in read_all(tmp_path / f"a{suffix}"):
        assert_like(rgb_of(frame), picture)


@pytest.mark.parametrize("spec", [ColorSpec(m, r) for m in ColorMatrix for r in ColorRange])
def test_lossless_uyvy_states_its_own_colour(tmp_path: Path, spec: ColorSpec) -> None:
    """A saturated colour read with another matrix or range would be far off."""
    picture = bars(48, 128)
    write(tmp_path / "a.mkv", [Frame(to_uyvy(picture, spec), 128, 48, PixelFormat.UYVY, color=spec)])
    assert_like(rgb_of(read_all(tmp_path / "a.mkv")[0]), picture)


def test_mp4_states_bt709_limited(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", [rgbx(bars(48, 64))])
    with av.open(str(tmp_path / "a.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert context.pix_fmt == "yuv420p"
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)
        assert context.color_range == 1  # limited


def test_odd_size_gains_a_line(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", [rgbx(bars(47, 127))])
    frame = read_all(tmp_path / "a.mp4")[0]
    assert frame.size == (48, 128)
    assert_like(rgb_of(frame)[:47, :127], bars(47, 127))


def test_other_sizes_are_scaled_to_the_first(tmp_path: Path) -> None:
    write(tmp_path / "a.mkv", [rgbx(bars(48, 128)), rgbx(bars(96, 256))])
    assert [frame.size for frame in read_all(tmp_path / "a.mkv")] == [(48, 128)] * 2


def test_half_file_never_looks_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    sink = FileSink(path)
    sink.send(rgbx(bars(48, 64)))
    assert not path.exists()
    sink.close()
    sink.close()
    assert path.exists()
    sink.send(rgbx(bars(48, 64)))
    assert len(read_all(path)) == 1
    FileSink(tmp_path / "b.mp4").close()
    assert os.listdir(tmp_path) == ["a.mkv"]


def send_many(sink: FileSink, frame: Frame, count: int) -> None:
    for _ in range(count):
        sink.send(frame)


@needs_full_disk
@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_full_disk_is_told_once_per_call(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a.{suffix}.part").symlink_to("/dev/full")
    noise = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)
    sink = FileSink(tmp_path / f"a.{suffix}")
    with pytest.raises(VideoError, match=rf"a\.{suffix}\.part cannot be written further.*free some space"):
        send_many(sink, rgbx(noise), 200)
    with pytest.raises(VideoError, match="failed earlier"):
        sink.send(rgbx(noise))
    sink.close()
    assert not (tmp_path / f"a.{suffix}").exists()


def test_refused_paths_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"\.mp4 or \.mkv"):
        FileSink(tmp_path / "a.gif")
    with pytest.raises(VideoError, match="does not exist; create it"):
        FileSink(tmp_path / "no" / "a.mp4")
    (tmp_path / "b.mp4.part").mkdir()
    with pytest.raises(VideoError, match=r"b\.mp4\.part cannot be written"):
        FileSink(tmp_path / "b.mp4")
    with pytest.raises(VideoError, match=r"none\.mp4 cannot be opened as video: No such file"):
        FileSource(tmp_path / "none.mp4")
    (tmp_path / "text.mp4").write_text("not a video")
    with pytest.raises(VideoError, match=r"text\.mp4 cannot be opened as video"):
        FileSource(tmp_path / "text.mp4")


def test_file_without_video_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "a.wav")
    with av.open(path, "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        stream.layout = "mono"
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(VideoError, match="no video stream"):
        FileSource(path)


def test_corrupt_packets_are_skipped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    write(path, [rgbx(numbered(i)) for i in range(12)])
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size and p.pos is not None]
    data = bytearray(path.read_bytes())
    position, size = packets[5]
    data[position + 40 : position + size] = b"\xff" * (size - 40)  # after the container's own few bytes
    path.write_bytes(data)
    source = FileSource(path, realtime=False, loop=False)
    shown = []
    while not source.ended:
        frame = source.read(0)
        assert frame is not None
        shown.append(int(rgb_of(frame)[-1, 0, 0]))
    assert source.bad_packets == 1
    assert shown == [20 + 10 * i for i in range(12) if i != 5]
    source.close()


def test_loop_starts_again_and_counts_on(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    write(path, [rgbx(numbered(i)) for i in range(3)])
    with FileSource(path, realtime=False, loop=True) as source:
        frames = [source.read(0) for _ in range(8)]
        assert not source.ended
    assert [frame.index for frame in frames] == list(range(8))
    for i, frame in enumerate(frames):
        assert frame is not None
        assert np.array_equal(rgb_of(frame), numbered(i % 3))


def test_realtime_frames_are_not_early(tmp_path: Path) -> None:
    """At one frame a minute the second is surely not due: no wait in the test."""
    path = tmp_path / "a.mkv"
    write(path, [rgbx(numbered(i), Fraction(1, 60)) for i in range(2)])
    source = FileSource(path)
    assert source.read(0) is not None
    assert source.read(0.01) is None
    source.close()
    source.close()
    assert source.read(1) is None
    assert source.ended


def test_a_picture_that_stays_is_given_again_meanwhile(tmp_path: Path) -> None:
    """A frame a minute, as where a recorded screen does not change: it is no lost input, and the hand plays on it."""
    path = tmp_path / "a.mkv"
    write(path, [rgbx(numbered(i), Fraction(1, 60)) for i in range(2)])
    with FileSource(path) as source:
        first, *again = [source.read(2) for _ in range(4)]
        assert all(frame is not None and np.array_equal(rgb_of(frame), numbered(0)) for frame in (first, *again))
        assert sorted({frame.captured_ns for frame in (first, *again)}) == [frame.captured_ns for frame in (first, *again)]


def test_rotation_is_applied(tmp_path: Path) -> None:
    """A display matrix of a quarter turn, as telephones write it, put into the track header by hand."""
    path = tmp_path / "a.mp4"
    picture = np.zeros((64, 128, 3), np.uint8)
    picture[:32, :64] = 200
    write(path, [rgbx(picture)])
    data = path.read_bytes()
    one, minus, unit = (1 << 16).to_bytes(4, "big"), (-(1 << 16)).to_bytes(4, "big", signed=True), (1 << 30).to_bytes(4, "big")
    zero = bytes(4)
    identity = one + zero * 3 + one + zero * 3 + unit
    clockwise = zero + one + zero + minus + zero * 4 + unit
    at = data.rfind(identity)
    assert at > 0
    path.write_bytes(data[:at] + clockwise + data[at + len(identity) :])
    frame = read_all(path)[0]
    assert frame.size == (128, 64)
    corners = rgb_of(frame)[[4, 4, -4, -4], [4, -4, 4, -4], 0] > 100
    assert corners.tolist() == [False, True, False, False]  # the bright corner turned from top left to top right
