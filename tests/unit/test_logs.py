"""What is logged, and how."""

from __future__ import annotations

import ast
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.systems import needs_full_disk, needs_modes

from sdv2_live import logs
from sdv2_live.errors import ConfigError

FORGED = "CAM\n12:00:00 ERROR all is lost\x1b[2J\u2028\x07"


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger of the project; every handler that a test adds to the root goes again."""
    root = logging.getLogger()
    before = list(root.handlers)
    yield logging.getLogger("sdv2_live.test_logs")
    for handler in [one for one in root.handlers if one not in before]:
        root.removeHandler(handler)
        handler.close()


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_record_is_one_json_object(logger: logging.Logger, tmp_path: Path) -> None:
    path = tmp_path / "new" / "show.log"
    logs.to_file(path, 1.0, 1)
    logger.warning("source %s lost after %d frames", FORGED, 7)
    (entry,) = lines(path)
    assert entry["level"] == "warning"
    assert entry["logger"] == "sdv2_live.test_logs"
    assert entry["thread"] == "MainThread"
    assert str(entry["time"]).endswith("+00:00")
    message = str(entry["message"])
    assert message.isprintable()
    assert message.endswith("lost after 7 frames")


def test_what_a_command_prints_drives_no_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_very_secret")
    logs.say(f"{logs.CLEAR_LINE}CAM\x1b]0;pwned\x07\x1b[31m\u2028\t[red]hf_very_secret\nnext", end="")
    logs.say("\x9b2J", to=sys.stderr)
    printed = capsys.readouterr()
    assert printed.out == f"{logs.CLEAR_LINE}CAM\\x1b]0;pwned\\x07\\x1b[31m\\u2028\t[red]***\nnext"
    assert printed.err == "\\x9b2J\n"


def test_every_command_prints_through_the_one_place_that_makes_text_harmless() -> None:
    """Tables do it cell by cell; JSON has escapes of its own."""
    package = Path(logs.__file__).parent
    for path in package.rglob("*.py"):
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        printing = [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]
        assert not printing or path in (package / "logs.py", package / "commands" / "table.py"), f"{path}: {printing}"


@needs_modes
def test_a_log_is_its_owners(logger: logging.Logger, tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "show.log"
    before = os.umask(0o022)
    try:
        logs.to_file(path, 0.0001, 1)
        for _ in range(9):
            logger.warning("a secret name, unreleased")
    finally:
        os.umask(before)
    files = [path, path.with_name("show.log.1")]
    assert [file.stat().st_mode & 0o777 for file in (*files, path.parent, path.parent.parent)] == [0o600, 0o600, 0o700, 0o700]


def test_a_traceback_is_kept_and_harmless(logger: logging.Logger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDV2_API_KEY", "sk-very-secret-9")
    path = tmp_path / "show.log"
    logs.to_file(path, 1.0, 1)
    try:
        raise ValueError(f"sk-very-secret-9 {FORGED}")
    except ValueError:
        logger.exception("it broke")
    (entry,) = lines(path)
    trace = entry["traceback"]
    assert isinstance(trace, list)
    assert all(str(line).isprintable() for line in trace)
    assert any("ValueError: *** CAM" in str(line) for line in trace)
    assert "very-secret" not in path.read_text()


@pytest.mark.parametrize("name", ["HF_TOKEN", "SDV2_API_KEY", "STUDIO_PASSWORD"])
def test_secrets_are_hidden(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "hf_abcdefgh")
    assert logs.harmless("GET /x?key=hf_abcdefgh failed") == "GET /x?key=*** failed"
    monkeypatch.setenv(name, "on")  # too short to be one
    assert logs.harmless("switched on") == "switched on"


def test_a_full_file_is_put_aside_and_the_oldest_goes(logger: logging.Logger, tmp_path: Path) -> None:
    path = tmp_path / "show.log"
    logs.to_file(path, 0.001, 2)
    for i in range(60):
        logger.warning("number %d of many", i)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["show.log", "show.log.1", "show.log.2"]
    assert all(file.stat().st_size <= 1000 for file in tmp_path.iterdir())
    assert lines(path)[-1]["message"] == "number 59 of many"


def test_a_full_file_that_somebody_reads_loses_nothing(logger: logging.Logger, tmp_path: Path) -> None:
    """Windows puts it aside only once it is let go."""
    path = tmp_path / "show.log"
    logs.to_file(path, 0.002, 2)
    with path.open(encoding="utf-8"):
        for number in range(60):
            logger.warning("message %d", number)
    for number in range(60, 70):
        logger.warning("message %d", number)
    kept = [line["message"] for one in sorted(tmp_path.iterdir(), reverse=True) for line in lines(one)]
    assert kept[-20:] == [f"message {number}" for number in range(50, 70)]
    assert (tmp_path / "show.log.1").exists()


def test_a_file_that_cannot_be_written_names_its_key(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"log\.file: .*show\.log cannot be written"):
        logs.to_file(tmp_path / "file" / "show.log", 1.0, 1)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_terminal_gets_a_line_over_the_status_line(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("sys.stdout", terminal)
    logging.getLogger().addHandler(logs.Console())
    logger.error("no source named %s", FORGED)
    text = terminal.getvalue()
    assert text.startswith("\r\033[K")
    assert text.removeprefix("\r\033[K").rstrip("\n").isprintable()
    assert "no source named CAM\\n12:00:00 ERROR all is lost\\x1b[2J" in text


@needs_full_disk
def test_a_full_disk_is_said_once(logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    console = logs.Console()
    logging.getLogger().addHandler(console)
    file = logs.to_file(Path("/dev/full"), 1.0, 1)
    for i in range(3):
        logger.warning("record %d", i)
    with pytest.raises(OSError, match="No space left"):
        file.close()  # it still holds the records
    said = capsys.readouterr().err
    assert said.count("/dev/full cannot be written: No space left on device") == 1
    assert "Traceback" not in said
    assert [f"record {i}" in said for i in range(3)] == [True] * 3


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_pipe_that_nobody_reads_is_let_go(closed: str) -> None:
    """The program goes on, and ends with the status that it chose."""
    script = (
        "import sys\n"
        "from sdv2_live import logs\n"
        "logs.to_console()\n"
        "sys.stdin.read()\n"  # until the other end is closed
        "for _ in range(3):\n"
        "    logs.log.warning('a record')\n"
        "    logs.say('a line')\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", script], **pipes) as process:  # type: ignore[call-overload]
        other = process.stderr if closed == "stdout" else process.stdout
        getattr(process, closed).close()
        process.stdin.close()
        said = other.read().decode()
        assert process.wait(60) == 0
    assert said.count("a record" if closed == "stdout" else "a line") == 3
    assert "Traceback" not in said
    assert "Exception ignored" not in said
