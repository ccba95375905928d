"""Specs of sources and sinks."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import fake_frame

from sdv2_live.errors import VideoError
from sdv2_live.io.file import FileSource
from sdv2_live.io.file_out import FileSink
from sdv2_live.io.open import NullSink, NullSource, open_sink, open_source
from sdv2_live.io.synthetic import TestSource


def test_each_scheme_opens_its_kind(tmp_path: Path) -> None:
    path = tmp_path / "a:b.mkv"  # a colon in the path is no scheme
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
        ("nid:Cam", r"did you mean ndi:Cam\? Allowed are ndi:NAME, spout:NAME, file:PATH, test\[:HEIGHTxWIDTH\], none"),
        ("File:a.mp4", r"did you mean file:a\.mp4\?"),
        ("clip.mp4", "is no video source"),
        ("", "is no video source"),
        ("C:\\clips\\a.mp4", "Allowed are"),
        ("file:", "names no file"),
        ("test:512", "HEIGHTxWIDTH"),
        ("test:-1x5", "HEIGHTxWIDTH"),
        ("test:9x9", r"16\.\.8192"),
    ],
)
def test_bad_sources_name_the_remedy(spec: str, says: str) -> None:
    with pytest.raises(VideoError, match=says):
        open_source(spec)


@pytest.mark.parametrize(("spec", "says"), [("test:64x64", "is no video sink"), ("file:a.gif", "mp4 or")])
def test_bad_sinks_name_the_remedy(spec: str, says: str) -> None:
    with pytest.raises(VideoError, match=says):
        open_sink(spec)
