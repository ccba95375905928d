"""The faults' figures: a table at the end of the run, and out/faults.json."""

from __future__ import annotations

from typing import Any

import pytest
from support.places import ROOT

from faults.fault_report import Report

_report = Report()


@pytest.fixture(scope="session")
def fault_report() -> Report:
    return _report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if _report.kinds:
        path = ROOT / "out" / "faults.json"
        _report.write(path)
        terminalreporter.section("faults: gaps in frame times of the output")
        for line in _report.lines():
            terminalreporter.write_line(line)
