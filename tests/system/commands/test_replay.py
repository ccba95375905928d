"""`sdv2-live run` until its time is up, with record, and `sdv2-live replay` of what it left."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdv2_live.cli import main
from sdv2_live.frame import Frame
from sdv2_live.io.files.source import FileSource


@pytest.fixture(autouse=True)
def _signal_handlers() -> Iterator[None]:
    """`run` takes them over; the next test gets them back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def pictures(path: Path) -> list[Frame]:
    with FileSource(path, realtime=False, loop=False) as source:
        return list(iter(lambda: source.read(0), None))


def test_a_show_is_shown_recorded_and_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown, video = tmp_path / "show.mkv", tmp_path / "again.mkv"
    settings = ("osc.port=0", "params.record=true", f"takes.dir={tmp_path / 'takes'}", f"model.prompt_cache={tmp_path / 'cache'}")
    options = [part for setting in settings for part in ("--set", setting)]
    show = ["--model", "tiny", "--device", "cpu", "--input", "test:64x64", "--output", f"file:{shown}", "--seconds", "5"]
    assert main(["run", *show, *options]) == 0
    said = capsys.readouterr().out
    for part in ("control osc://127.0.0.1:", "latency", "| recording"):
        assert part in said
    frames = pictures(shown)
    assert len(frames) > 1
    assert frames[-1].data.std() > 1
    (take,) = (tmp_path / "takes").iterdir()

    assert main(["replay", str(take), "--check", "--output", str(video)]) == 0
    assert "chunks identical" in capsys.readouterr().out
    frame = pictures(video)[0]
    assert frame.size == (64, 64)
    assert frame.data.std() > 1

    header, chunks = take / "take.yaml", take / "chunks.jsonl"
    then, whole = header.read_text(), chunks.read_text()
    header.write_text(then.replace("frame_kernels: torch", "frame_kernels: cupy"))  # as if a GPU had recorded it
    chunks.write_text(re.sub(r'"sha256":"\w+"', '"sha256":"of bytes that differ"', whole))
    assert main(["replay", str(take), "--check"]) == 0
    said = capsys.readouterr().out.replace("\n", "")
    assert re.search(r"chunks alike, compared within one code of 255, at 256 places .* cupy's kernels then, torch's here", said)
    header.write_text(then)
    assert main(["replay", str(take), "--check"]) == 1  # by the same kernels nothing but the same bytes will do
    capsys.readouterr()

    chunks.write_text(whole)
    chunks.write_text(chunks.read_text().replace('"seed":42', '"seed":43'))
    assert main(["replay", str(take), "--check"]) == 1
    assert f"{chunks}:1: chunk " in capsys.readouterr().out.replace("\n", "")


def test_replay_tells_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["replay", str(tmp_path)])
    assert "give --output VIDEO to see the take, --check to compare it, or both" in capsys.readouterr().err
    assert main(["replay", str(tmp_path), "--check"]) == 8
    assert f"{tmp_path}: is no take" in capsys.readouterr().err
