"""The tests under Windows' Python: which parts there are, and what is counted of their words."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from support.places import ROOT
from windows.parts import SHORT, TIERS, counted, parts


@pytest.mark.parametrize("path", SHORT)
def test_the_short_part_names_tests_that_are_there(path: str) -> None:
    file, _, name = path.partition("::")
    text = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"^def {name or 'test_'}", text, re.M)


def test_every_test_is_of_one_part() -> None:
    held = [path for paths in parts().values() for path in paths]
    for path in (path for tier in TIERS for path in (ROOT / "tests" / tier).rglob("test_*.py")):
        assert sum(path == ROOT / one or ROOT / one in path.parents for one in held) == 1, path


@pytest.mark.parametrize(
    ("last", "counts"),
    [
        ("3 passed, 2 skipped, 5 deselected in 30.05s (0:00:30)", {"passed": 3, "skipped": 2}),
        ("1 failed, 2 passed, 1 error in 3.1s", {"failed": 2, "passed": 2}),
        ("ERROR cut off after 900 s", {"failed": 1}),
        ("", {"failed": 1}),
    ],
)
def test_what_is_counted(last: str, counts: dict[str, int]) -> None:
    assert +counted(["", last]) == Counter(counts)
