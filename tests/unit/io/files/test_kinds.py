"""Files as phones, browsers, cameras and music programs write them: shown as players show them, or refused in plain words."""

from __future__ import annotations

import logging
from fractions import Fraction
from itertools import accumulate, cycle, islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import ExifTags, Image, ImageOps
from support.clips import grey, noise, write_clip
from support.pictures import bars

from sdv2_live.errors import VideoError
from sdv2_live.frame import Frame
from sdv2_live.io.files.clip import frame_count
from sdv2_live.io.files.decoded import squared, upright
from sdv2_live.io.files.ffmpeg import fraction
from sdv2_live.io.files.sink import FileSink
from sdv2_live.io.files.source import FileSource


def frames_of(path: Path) -> list[Frame]:
    frames = []
    with FileSource(path, realtime=False, loop=False) as source:
        while not source.ended:
            frames.append(source.read(0))
    return [frame for frame in frames if frame is not None]


def rgb_of(frame: Frame) -> np.ndarray:
    return frame.data[:, : 4 * frame.width].reshape(frame.height, frame.width, 4)[..., :3]


def seconds_of(path: Path) -> list[float]:
    """When each picture of a file is shown, by another reader than ours."""
    with av.open(str(path)) as container:
        return [float(frame.time) for frame in container.decode(video=0)]


PHONE = [i / 60 for i in range(12)] + [0.2 + i / 15 for i in range(6)]  # 60 frames a second, then 15
RECORDER = list(islice(accumulate(cycle((0.031, 0.033, 0.034, 0.036, 0.067)), initial=0.0), 20))


@pytest.mark.parametrize("times", [PHONE, RECORDER], ids=["phone", "screen recorder"])
@pytest.mark.parametrize(("kind", "codec"), [("mkv", "ffv1"), ("webm", "libvpx"), ("mp4", "libx264")])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_frames_of_a_variable_rate_keep_their_times(
    tmp_path: Path, times: list[float], kind: str, codec: str, suffix: str
) -> None:
    path = tmp_path / f"in.{kind}"
    write_clip(path, [grey(40 + 5 * i) for i in range(len(times))], times, codec=codec, declared=Fraction(1000))
    frames = frames_of(path)
    assert [frame.captured_ns / 1e9 for frame in frames] == pytest.approx(times, abs=0.0011)  # Matroska counts milliseconds
    with FileSink(tmp_path / f"out.{suffix}", offline=True) as sink:
        for frame in frames:
            sink.send(frame)
    assert seconds_of(tmp_path / f"out.{suffix}") == pytest.approx(times, abs=0.004)
    with av.open(str(tmp_path / f"out.{suffix}")) as container:
        assert container.duration is not None
        assert container.duration / av.time_base >= times[-1]


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(25), Fraction(24000, 1001), Fraction(1), Fraction(240)])
def test_frames_of_a_constant_rate_stay_on_it(tmp_path: Path, rate: Fraction) -> None:
    """Also where the container rounds to milliseconds."""
    write_clip(tmp_path / "in.mkv", [grey(9 * i) for i in range(20)], [i / rate for i in range(20)], declared=rate)
    frames = frames_of(tmp_path / "in.mkv")
    with FileSink(tmp_path / "out.mp4", offline=True) as sink:
        for frame in frames:
            sink.send(frame)
    assert seconds_of(tmp_path / "out.mp4") == pytest.approx([float(i / rate) for i in range(20)], abs=1e-5)
    assert frames_of(tmp_path / "out.mp4")[0].rate == rate


@pytest.mark.parametrize("times", [PHONE, RECORDER], ids=["phone", "screen recorder"])
@pytest.mark.parametrize(
    ("kind", "codec", "declared"),
    [("mkv", "ffv1", 1000), ("mkv", "ffv1", 90_000), ("webm", "libvpx", 1000), ("mkv", "libx264", 1000)],
)
def test_a_rate_that_cannot_be_is_measured(tmp_path: Path, times: list[float], kind: str, codec: str, declared: int) -> None:
    path = tmp_path / f"a.{kind}"
    write_clip(path, [grey(40 + 5 * i) for i in range(len(times))], times, codec=codec, declared=Fraction(declared))
    with FileSource(path) as source:
        frame = source.read(1)
    assert frame is not None
    assert frame.rate == pytest.approx((len(times) - 1) / times[-1], rel=0.15)


@pytest.mark.parametrize(("seconds", "rate"), [(60, 1), (Fraction(1, 600), 240)])
def test_a_measured_rate_stays_within_bounds(tmp_path: Path, seconds: Fraction, rate: int) -> None:
    times = [i * Fraction(seconds) for i in range(60)]
    write_clip(tmp_path / "a.mp4", [grey(4 * i) for i in range(60)], times, codec="mjpeg", tick=Fraction(1, 90_000))
    assert {frame.rate for frame in frames_of(tmp_path / "a.mp4")} == {rate}


def test_a_single_picture_has_25_frames_a_second(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", [bars(48, 64)], [0], codec="mjpeg", declared=Fraction(90_000), tick=Fraction(1, 90_000))
    (frame,) = frames_of(tmp_path / "a.mp4")
    assert frame.rate == 25


@pytest.mark.parametrize(("kind", "codec"), [("mp3", "libmp3lame"), ("flac", "flac")])
def test_a_cover_picture_is_no_video(tmp_path: Path, kind: str, codec: str) -> None:
    path = tmp_path / f"song.{kind}"
    with av.open(str(path), "w") as container:
        voice: Any = container.add_stream(codec, rate=44100)
        cover = container.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "rgb24"
        cover.disposition = Disposition.attached_pic
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.int16), format="s16p", layout="mono")
        sound.sample_rate = 44100
        packets: list[Any] = [
            voice.encode(sound),
            voice.encode(None),
            cover.encode(av.VideoFrame.from_ndarray(grey(200, 32, 32), "rgb24")),
        ]
        for packet in packets:
            container.mux(packet)
    with pytest.raises(VideoError, match=rf"song\.{kind} has no video, only a cover picture"):
        FileSource(path)
    assert frame_count(path) is None


@pytest.mark.parametrize(
    ("aspect", "size"),
    [
        (Fraction(4, 3), (48, 85)),  # as HDV
        (Fraction(64, 45), (48, 91)),  # as PAL wide
        (Fraction(10, 11), (53, 64)),  # as NTSC: no side shrinks
        (Fraction(1), (48, 64)),
        (Fraction(99), (48, 64)),  # not believed
    ],
)
def test_pixels_become_square(tmp_path: Path, aspect: Fraction, size: tuple[int, int]) -> None:
    def set_up(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = aspect

    picture = grey(0)
    picture[:24, :32] = 255
    write_clip(tmp_path / "a.mkv", [picture], [0], codec="libx264", set_up=set_up)
    (frame,) = frames_of(tmp_path / "a.mkv")
    assert frame.size == size
    shown = rgb_of(frame)[..., 0] > 128
    assert shown[: size[0] // 2 - 2, : size[1] // 2 - 2].all()
    assert not shown[size[0] // 2 + 2 :].any()
    assert not shown[:, size[1] // 2 + 2 :].any()


def test_no_side_shrinks() -> None:
    assert squared(1440, 1080, Fraction(4, 3)) == (1920, 1080)
    assert squared(720, 576, Fraction(64, 45)) == (1024, 576)
    assert squared(720, 480, Fraction(10, 11)) == (720, 528)
    assert squared(720, 480, None) == (720, 480)


TURNS = [(1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0), (-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, -1, 0)]


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_every_turn_and_mirror_is_shown(tmp_path: Path, turn: tuple[int, int, int, int], suffix: str) -> None:
    """The eight that a display matrix can say without a tilt, each checked point by point."""
    a, b, c, d = turn
    one = 1 << 16
    matrix = [a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30]
    picture = grey(0, 32, 64)
    picture[:16, :32], picture[:16, 32:], picture[16:, :32] = 250, 170, 90  # each quarter another grey
    path = tmp_path / f"a.{suffix}"
    write_clip(path, [picture], [0], codec="libx264", set_up=lambda stream: stream.set_display_matrix(matrix))
    (frame,) = frames_of(path)
    shown = rgb_of(frame)[..., 0].astype(int)
    assert frame.size == ((32, 64) if a else (64, 32))
    for x, y in ((16, 8), (48, 8), (16, 24), (48, 24)):  # from the middle of the picture it is a turn about that middle
        right, down = a * (x - 32) + c * (y - 16), b * (x - 32) + d * (y - 16)
        assert shown[frame.height // 2 + down, frame.width // 2 + right] == pytest.approx(int(picture[y, x, 0]), abs=6)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_photographs_are_shown_upright(tmp_path: Path, turn: int, suffix: str) -> None:
    picture = grey(0, 32, 64)
    picture[:16, :32], picture[:16, 32:], picture[16:, :32] = 250, 170, 90
    photograph, about = Image.fromarray(picture), Image.Exif()
    about[ExifTags.Base.Orientation] = turn
    photograph.save(tmp_path / f"a.{suffix}", exif=about)
    (frame,) = frames_of(tmp_path / f"a.{suffix}")
    with Image.open(tmp_path / f"a.{suffix}") as stored:
        upright = np.asarray(ImageOps.exif_transpose(stored))
    assert frame.size == upright.shape[:2]
    assert np.abs(rgb_of(frame).astype(int) - upright).mean() < 3


def test_a_tilt_is_shown_to_the_nearest_quarter_turn() -> None:
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    tilted = np.array([[0.6, 0.8], [-0.8, 0.6]])
    assert np.array_equal(upright(pixels, tilted), np.rot90(pixels, -1))
    assert np.array_equal(upright(pixels, np.zeros((2, 2))), pixels)


CUTS: dict[str, dict[str, Any]] = {
    "mp4": {"codec": "libx264", "options": {"movflags": "faststart"}},
    "mov": {"codec": "libx264", "options": {"movflags": "faststart"}},
    "frag.mp4": {"codec": "libx264", "options": {"movflags": "frag_keyframe+empty_moov+default_base_moof"}},
    "mkv": {"codec": "libx264"},
    "webm": {"codec": "libvpx"},
    "avi": {"codec": "mpeg4", "tick": Fraction(1, 20)},
}


@pytest.mark.parametrize("share", [1.0, 0.9, 0.6, 0.3])
@pytest.mark.parametrize("kind", CUTS)
def test_a_file_that_was_cut_short_is_played_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, share: float
) -> None:
    whole, path = tmp_path / f"whole.{kind}", tmp_path / f"cut.{kind}"
    given: dict[str, Any] = {"declared": Fraction(20), **CUTS[kind]}
    write_clip(whole, [noise(i) for i in range(40)], [i / 20 for i in range(40)], **given)
    data = whole.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    caplog.set_level(logging.WARNING)
    count = len(frames_of(path))
    told = [text for record in caplog.records if "cut short or damaged" in (text := record.getMessage())]
    assert (count == 40) == (share == 1)
    assert count
    assert len(told) == (share < 1)
    if share < 1:
        assert f"{path} ends after " in told[0]
    if share < 1 and kind == "mp4":
        assert f"ends after {count} of 40 frames" in told[0]


@pytest.mark.parametrize("share", [1.0, 0.6])
@pytest.mark.parametrize("kind", ["mkv", "webm", "mp4"])
def test_a_file_that_begins_late_is_not_short(tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, share: float) -> None:
    path = tmp_path / f"late.{kind}"
    write_clip(path, [noise(i) for i in range(20)], [7 + i / 20 for i in range(20)], declared=Fraction(20), **CUTS[kind])
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    caplog.set_level(logging.WARNING)
    frames_of(path)
    assert ("cut short or damaged" in caplog.text) == (share < 1)


def test_of_several_videos_the_default_one_is_shown(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        streams = [container.add_stream("ffv1", rate=30) for _ in range(2)]
        for stream, disposition in zip(streams, (Disposition(0), Disposition.default), strict=True):
            stream.height, stream.width, stream.disposition = 48, 64, disposition
        for stream, level in zip(streams, (50, 200), strict=True):
            container.mux([*stream.encode(av.VideoFrame.from_ndarray(grey(level), "rgb24")), *stream.encode(None)])
    (frame,) = frames_of(tmp_path / "a.mkv")
    assert rgb_of(frame).mean() == pytest.approx(200, abs=2)


def test_a_ratio_of_pyav_is_a_fraction_whatever_its_type() -> None:
    for given in (Fraction(30000, 1001), SimpleNamespace(numerator=30000, denominator=1001)):  # PyAV to 18; from 19 on
        assert fraction(given) == Fraction(30000, 1001)
    assert fraction(None) is None
