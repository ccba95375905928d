"""What a show prints while it runs."""

from __future__ import annotations

import pytest
from support.fakes import FakeClock

from sdv2_live import logs
from sdv2_live.commands.run import _Reporter
from sdv2_live.live.adaptation import AdaptationState
from sdv2_live.live.input_policy import InputState
from sdv2_live.show.status import Status
from sdv2_live.worker.host import EngineState

STATUS = Status("connected", True, 30.0, 30.0, 30.0, 100.0, 120.0, {}, EngineState("running"), InputState(), AdaptationState())


def reported(seconds: int, *, quiet: bool = False) -> None:
    """A status a second, and the end."""
    clock = FakeClock()
    reporter = _Reporter(logs.say, quiet=quiet, clock=clock.now)
    for _ in range(seconds):
        reporter(STATUS)
        clock.advance(1.0)
    reporter.end(STATUS)


def test_elsewhere_than_on_a_terminal_there_is_a_line_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    reported(31)
    assert capsys.readouterr().out == f"{STATUS.line()}\n" * 5


def test_quiet_leaves_the_end_only(capsys: pytest.CaptureFixture[str]) -> None:
    reported(31, quiet=True)
    assert capsys.readouterr().out == f"{STATUS.line()}\n"


@pytest.mark.parametrize("columns", [20, 80, 500])
def test_on_a_terminal_it_is_one_row_that_is_written_over(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    reported(5)
    rows = capsys.readouterr().out.split("\r\033[K")[1:]
    assert len(rows) == 6
    assert all(len(row) < columns and "\n" not in row for row in rows[:-1])
    assert rows[-1] == f"{STATUS.line()}\n"
