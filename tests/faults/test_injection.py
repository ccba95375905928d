"""How gaps are counted and told."""

from __future__ import annotations

import json
from pathlib import Path

from faults.bystanders import Gap
from faults.fault_report import Report
from faults.injection import Injection, counted

MS = 1_000_000


def gap(begin_ms: int, end_ms: int) -> Gap:
    """At 100 frames a second."""
    frames = (end_ms - begin_ms) / 10
    return Gap(begin_ms * MS, end_ms * MS, frames, frames)


def test_a_gap_is_counted_where_the_control_hop_has_none_at_that_time() -> None:
    own = [gap(0, 10), gap(10, 40), gap(100, 150), gap(300, 320)]
    assert counted(own, []) == [gap(10, 40), gap(100, 150)]
    assert counted(own, [gap(30, 60)]) == [gap(100, 150)]
    assert counted(own, [gap(40, 70), gap(149, 159)]) == [gap(10, 40), gap(100, 150)]  # after it; too short itself


def test_the_table_and_the_file_hold_every_kind(tmp_path: Path) -> None:
    report = Report()
    assert report.lines() == []
    report.add("a", Injection([gap(0, 10), gap(10, 40)], [gap(10, 40)], 2.0, [], 0, 3))
    report.add("a", Injection([gap(0, 10)], [], 1.0, ["seed"], 1, 2))
    report.add("b", Injection([], [], 1.0, [], 0, 0))
    report.write(tmp_path / "out" / "faults.json")
    a, b = json.loads((tmp_path / "out" / "faults.json").read_text())["kinds"]
    assert a["longest"] == a["longest counted"] == 3.0
    assert (a["times"], a["counted"], a["black"], a["lost parameters"]) == (2, 1, 1, 1)
    assert (a["recovery s, median"], a["longest recovery"]) == (1.0, 2.0)
    assert (b["kind"], b["longest"], b["counted"]) == ("b", 0.0, 0)
    assert len(report.lines()) == 4
