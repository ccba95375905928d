"""Specs of sources and sinks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.fakes import fake_frame
from support.systems import WINDOWS, needs_colons

from sdv2_live.errors import VideoError
from sdv2_live.io.files.sink import FileSink
from sdv2_live.io.files.source import FileSource
from sdv2_live.io.open import NullSink, NullSource, open_sink, open_source
from sdv2_live.io.synthetic import TestSource


def test_each_scheme_opens_its_kind(tmp_path: Path) -> None:
    path = tmp_path / ("a.mkv" if WINDOWS else "a:b.mkv")  # a colon in the path is no scheme: on Windows every path has one
    with open_sink(f"file:{path}") as sink:
        assert isinstance(sink, FileSink)
        sink.send(fake_frame(7))
    with open_source(f"file:{path}", realtime=False, loop=False) as source:
        assert isinstance(source, FileSource)
        frame = source.read(0)
        assert frame is not None
        assert frame.data[0, 0] == 7
    with open_source("test:48x64", realtime=False) as source:
        assert isinstance(source, TestSource)
        assert source.read(0).size == (48, 64)
    assert open_source("test").name == "test:512x512"


@pytest.mark.parametrize(
    "name",
    [
        *(pytest.param(name, marks=needs_colons) for name in ("http:clip.mkv", "12:30.mkv", "concat:a.mkv", "file:a.mkv")),
        "it's %d.mkv",
    ],
)
def test_a_file_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with open_sink(f"file:{name}") as sink:
        sink.send(fake_frame(7))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with open_source(f"file:{name}", realtime=False, loop=False) as source:
        assert source.read(0).data[0, 0] == 7
    with pytest.raises(VideoError, match="cannot be opened as video: No such file"):
        open_source("file:http://127.0.0.1:1/clip.mkv")  # nothing is asked of a network


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes among its files")
def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(VideoError, match=r"pipe\.mp4 is a pipe or a device; only files are read here"):
        open_source(f"file:{tmp_path / 'pipe.mp4'}")


def test_no_stream_is_taken_for_a_misspelt_scheme() -> None:
    for spec in ("rtsp://a/b", "srt://a:1", "http://a/b", "udp://@:1234"):
        with pytest.raises(VideoError) as caught:
            open_source(spec)
        assert "did you mean" not in str(caught.value)


def test_a_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    open_sink("file:~/a.mkv").close()
    with pytest.raises(VideoError, match=str(tmp_path / "none.mkv").replace("\\", ".")):
        open_source("file:~/none.mkv")


def test_a_file_that_is_there_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip").touch()
    with pytest.raises(VideoError, match=r"did you mean file:clip\?"):
        open_source("clip")


def test_none_gives_nothing_and_takes_all() -> None:
    source, sink = open_source(" none "), open_sink("none")
    assert isinstance(source, NullSource)
    assert isinstance(sink, NullSink)
    assert source.read(0) is None
    assert not source.ended
    source.close()
    assert source.read(600) is None
    assert source.ended
    sink.send(fake_frame())
    assert sink.sent == 1
    assert sink.watched
    sink.close()


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("nid:Cam", r"did you mean ndi:Cam\? Allowed are ndi:NAME, spout:NAME, .*, test\[:HEIGHTxWIDTH\], none"),
        ("File:a.mp4", r"did you mean file:a\.mp4\?"),
        ("clip.mp4", r"is no video source: did you mean file:clip\.mp4\? Allowed are ndi:NAME"),
        ("./clip.mp4", r"did you mean file:\./clip\.mp4\?"),
        ("~/clips/dancer one", r"did you mean file:~/clips/dancer one\?"),
        ("C:\\clips\\a.mp4", r"did you mean file:C:\\clips\\a\.mp4\?"),
        ("", "'' is no video source: allowed are ndi:NAME"),
        ("Camera 1", "'Camera 1' is no video source: allowed are ndi:NAME"),
        ("tset", r"did you mean test\?"),
        ("tset:64x64", r"did you mean test:64x64\?"),
        ("rtsp://127.0.0.1:8554/x", "streams are not opened here; bring it in by NDI"),
        ("srt://10.0.0.2:9000?mode=caller", "bring it in by NDI"),
        ("https://example.org/clip.mp4", "bring it in by NDI"),
        ("/dev/video0", r"did you mean camera:/dev/video0\?"),
        ("file:", "names no file"),
        ("test:512", "HEIGHTxWIDTH"),
        ("test:-1x5", "HEIGHTxWIDTH"),
        ("test:9x9", r"16\.\.8192"),
    ],
)
def test_bad_sources_name_the_remedy(spec: str, says: str) -> None:
    with pytest.raises(VideoError, match=says):
        open_source(spec)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("test:64x64", "is no video sink: allowed are ndi:NAME"),
        ("file:a.gif", "mp4 or"),
        ("a.mp4", r"did you mean file:a\.mp4\?"),
        ("rtmp://x/y", "send it on from NDI"),
    ],
)
def test_bad_sinks_name_the_remedy(spec: str, says: str) -> None:
    with pytest.raises(VideoError, match=says):
        open_sink(spec)
