"""The command line: what it prints, its exit codes, and rendering the same thing twice."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.waiting import DEADLINE_S, eventually

from sdv2_live import __version__
from sdv2_live.cli import COMMANDS, main
from sdv2_live.commands import sources
from sdv2_live.io.files.sink import FileSink
from sdv2_live.io.files.source import FileSource
from sdv2_live.io.ndi.settings import NdiSettings
from sdv2_live.io.ndi.sink import NdiSink
from sdv2_live.io.sound.lib import SoundInput
from sdv2_live.io.synthetic import TestSource

TINY = ("--model", "tiny", "--device", "cpu")


@pytest.fixture(autouse=True)
def _signal_handlers() -> Iterator[None]:
    """Commands that run until a signal take it over; the next test gets it back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Eleven frames, 64x64, lossless: two whole chunks and a part of one."""
    path = tmp_path / "clip.mkv"
    with TestSource(64, 64, realtime=False) as source, FileSink(path) as sink:
        for _ in range(11):
            frame = source.read(0)
            assert frame is not None
            sink.send(frame)
    return path


def frames_of(path: Path) -> np.ndarray:
    """Every frame of a file, (frames, height, stride)."""
    frames = []
    with FileSource(path, realtime=False, loop=False) as source:
        while (frame := source.read(0)) is not None:
            frames.append(frame.data)
    return np.stack(frames)


def test_help_lists_the_commands_and_does_not_wait_for_large_libraries() -> None:
    script = (
        "import sys\n"
        "from sdv2_live.cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as end:\n"
        "    large = {'torch', 'transformers', 'aiohttp', 'zeroconf', 'prometheus_client', 'av', 'NDIlib'} & sys.modules.keys()\n"
        "    sys.exit(f'it loads {large}' if large else end.code)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    for command in COMMANDS:
        assert f"\n    {command} " in run.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert f"usage: sdv2-live {command}" in capsys.readouterr().out


def test_the_name_alone_says_what_it_is_and_where_to_begin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    said = capsys.readouterr().out
    assert "restyles live video" in said
    assert len(re.findall(r"^    sdv2-live (?:demo|doctor|sources|run) ", said, re.M)) == 4
    assert said.splitlines()[-1].endswith("sdv2-live manual")
    assert max(map(len, said.splitlines())) <= 120


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"sdv2-live {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["run", "--set", "ocs.port=1"], 2, ["--set ocs.port=1", "did you mean 'osc'"]),
        (["run", "--set", "osc.prot=1"], 2, ["osc.prot", "did you mean 'port'"]),
        (["run", "--set", "osc.port=70000"], 2, ["--set osc.port=70000", "0..65535"]),
        (["run", "--set", "osc.port"], 2, ["--set osc.port", "give KEY=VALUE"]),
        (["run", "--set", "video.size=100x100"], 2, ["video.size", "multiples of 16"]),
        (["run", "--set", "params.noise_scal=1"], 2, ["did you mean 'noise_scale'"]),
        (["run", "--config", "missing.yaml"], 2, ["missing.yaml"]),
        (["run", "--preset", "Neon edge"], 2, ["did you mean 'neon edges'?"]),
        (["run", *TINY, "--set", "osc.port=0", "--input", "tst", "--output", "none"], 3, ["'tst'", "ndi:NAME"]),
        (["play", "file:missing.mp4"], 3, ["missing.mp4", "check the path"]),
        (["render", "--input", "missing.mp4", "--output", "out.mp4"], 3, ["missing.mp4"]),
        (["presets", "show", "Neon edge"], 2, ["did you mean 'neon edges'?"]),
    ],
)
def test_an_error_is_one_sentence_with_its_remedy(
    arguments: list[str], code: int, says: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    error = capsys.readouterr().err
    sentences = [line for line in error.splitlines() if line.startswith("sdv2-live: ")]
    assert len(sentences) == 1, error
    assert "Traceback" not in error
    for part in says:
        assert part in sentences[0]


def test_every_mistake_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--set", "osc.port=x", "--set", "video.fit=zoom"]) == 2
    error = capsys.readouterr().err
    assert "osc.port" in error
    assert "fill, fit, stretch" in error


def test_a_port_in_use_is_told_before_a_model_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert main(["run", *TINY, "--input", "test", "--output", "none", "--set", f"osc.port={port}"]) == 2
    error = capsys.readouterr().err
    assert str(port) in error
    assert "loaded in" not in error


@pytest.mark.parametrize(
    "arguments",
    [
        ["rum"],
        ["run", "--device", "tpu"],
        ["render", "--output", "out.mp4"],
        ["render", "--input", "a.mp4", "--output", "b.mp4", "--max-frames", "0"],
    ],
)
def test_a_wrong_option_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_an_unknown_model_is_refused_with_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--model", "2b"]) == 2
    assert "model.profile: cannot be '2b'; give one of auto, tiny, 1.3b, 14b, " in capsys.readouterr().err


def test_sources_without_any_tells_what_to_do(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sounds: list[SoundInput] = []
    for look in ("io.devices.cameras.list_cameras", "io.devices.screens.list_screens", "commands.sources.list_loopbacks"):
        monkeypatch.setattr(f"sdv2_live.{look}", list)
    monkeypatch.setattr(sources, "list_cards", lambda: sounds)
    command = ["sources", "--wait", "0.2", "--set", f"ndi.groups=nobody-{uuid.uuid4().hex}", "--set", "ndi.extra_ips=127.0.0.2"]
    assert main(command) == 1
    said = capsys.readouterr().out
    for part in ("no NDI source", "127.0.0.2", "ndi.extra_ips"):
        assert part in said
    monkeypatch.setenv("COLUMNS", "200")
    sounds.append(SoundInput("card", "Scarlett", 0, 2, 48_000, True))
    assert main(command) == 0, "sound alone is something, too"
    assert "audio.source='card:Scarlett'" in capsys.readouterr().out


def test_sources_names_what_is_there(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    name, group = f"cli-{uuid.uuid4().hex[:8]}", f"group-{uuid.uuid4().hex}"
    with NdiSink(name, NdiSettings(groups=(group,))) as sink:
        eventually("the source to be listed", lambda: main(["sources", "--wait", "1", "--set", f"ndi.groups={group}"]) == 0)
    said = capsys.readouterr().out
    assert sink.full_name in said
    assert f"--input 'ndi:{name}'" in said


def test_render_repeats_itself_and_follows_its_seed_and_prompt(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def rendered(name: str, seed: int, prompt: str) -> np.ndarray:
        out = tmp_path / f"{name}.mkv"
        options = ["--input", str(clip), "--output", str(out), "--seed", str(seed), "--prompt", prompt]
        assert main(["render", *TINY, *options]) == 0
        return frames_of(out)

    first = rendered("first", 1, "a pencil drawing")
    assert first.shape == frames_of(clip).shape  # every frame, at the clip's own size
    assert first.std() > 1
    assert "first.mkv: 11 frames in " in capsys.readouterr().out
    np.testing.assert_array_equal(rendered("again", 1, "a pencil drawing"), first)
    assert (rendered("seed", 2, "a pencil drawing") != first).any()
    assert (rendered("prompt", 1, "deep water") != first).any()


def test_render_stops_after_the_frames_asked_for(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "short.mkv"
    assert main(["render", *TINY, "--input", str(clip), "--output", str(out), "--max-frames", "3"]) == 0
    assert len(frames_of(out)) == 3


def test_render_gives_each_frame_its_own_time(tmp_path: Path) -> None:
    """Of a phone's clip: 60 frames a second, then 10; and a change of the timeline at a time, not at a frame's number."""
    times = [i / 60 for i in range(9)] + [0.15 + i / 10 for i in range(8)]
    source, out, timeline = tmp_path / "in.mkv", tmp_path / "out.mkv", tmp_path / "plain.yaml"
    timeline.write_text("duration: 2\nevents:\n  - {at: 0.3, set: {mix: 0}}\n")
    with TestSource(64, 64, realtime=False) as card, FileSink(source, offline=True) as sink:
        for at in times:
            frame = card.read(0)
            assert frame is not None
            sink.send(replace(frame, captured_ns=round(at * 1e9)))
    options = ["--input", str(source), "--output", str(out), "--timeline", str(timeline)]
    assert main(["render", *TINY, *options]) == 0
    with FileSource(out, realtime=False, loop=False) as video:
        rendered = [frame.captured_ns / 1e9 for frame in iter(lambda: video.read(0), None)]
    assert rendered == pytest.approx(times, abs=0.0021)
    plain, painted = frames_of(source).astype(int), frames_of(out).astype(int)
    off = np.abs(plain - painted).mean(axis=(1, 2))
    assert off[13:].max() < 3 < off[:9].min()  # the chunk that begins at 0.55 s is the first after the change


@pytest.mark.skipif(sys.platform == "win32", reason="Windows' shells close no standard streams")
@pytest.mark.parametrize("closed", ["0<&-", ">&-", ">&- 2>&-", "0<&- >&- 2>&-"])
def test_a_program_without_standard_streams_runs(closed: str) -> None:
    command = f'exec "$0" -m sdv2_live presets list {closed}'
    assert subprocess.run(["sh", "-c", command, sys.executable], timeout=60).returncode == 0


@pytest.mark.skipif(sys.platform != "win32", reason="pythonw is Windows' own")
def test_a_program_without_a_console_runs() -> None:
    pythonw = Path(sys.executable).with_name("pythonw.exe")
    assert subprocess.run([pythonw, "-m", "sdv2_live", "presets", "list"], timeout=DEADLINE_S).returncode == 0
