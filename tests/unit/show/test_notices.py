"""The errors and warnings that the page shows."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from sdv2_live.logs import MENDED, TROUBLE
from sdv2_live.show.notices import KEPT, MAX_TEXT, Notices

log = logging.getLogger("sdv2_live.test_notices")


@pytest.fixture
def notices() -> Iterator[Notices]:
    handler = Notices()
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    yield handler
    log.removeHandler(handler)
    log.setLevel(logging.NOTSET)


def seen(notices: Notices, *keys: str) -> list[tuple[Any, ...]]:
    return [tuple(item[key] for key in keys) for item in notices.items()]


def test_the_newest_comes_first_with_its_remedy(notices: Notices) -> None:
    log.info("nothing of note")
    log.warning("a.yaml:%d: there is no parameter 'sed'; did you mean 'seed'?", 7)
    log.error("the disk is full")
    assert seen(notices, "level", "text", "remedy") == [
        ("error", "the disk is full", ""),
        ("warning", "a.yaml:7: there is no parameter 'sed'", "did you mean 'seed'?"),
    ]


def test_what_comes_again_is_one_notice_with_a_count(notices: Notices) -> None:
    for text in ("one", "two", "one"):
        log.warning(text)
    assert seen(notices, "text", "count") == [("one", 2), ("two", 1)]


def test_a_trouble_that_is_over_says_so_and_may_come_again(notices: Notices) -> None:
    log.warning("the input is lost", extra={TROUBLE: "input"})
    log.error("it crashed", extra={TROUBLE: "engine"})
    log.info("it is there again", extra={MENDED: "input"})
    assert seen(notices, "text", "over") == [("it crashed", False), ("the input is lost", True)]
    log.warning("the engine is back", extra={MENDED: "engine"})
    assert seen(notices, "text", "over") == [("it crashed", True), ("the input is lost", True)]
    log.warning("the input is lost", extra={TROUBLE: "input"})
    assert seen(notices, "text", "over", "count") == [("the input is lost", False, 2), ("it crashed", True, 1)]


def test_many_and_long_ones_are_bounded_and_harmless(notices: Notices) -> None:
    for number in range(KEPT + 10):
        log.warning("trouble %d", number)
    assert len(notices.items()) == KEPT
    assert notices.items()[0]["text"] == f"trouble {KEPT + 9}"
    log.warning("x" * 10_000)
    assert len(notices.items()[0]["text"]) == MAX_TEXT
    log.warning("a\nforged line\x1b[2J")
    assert notices.items()[0]["text"] == r"a\nforged line\x1b[2J"


def test_each_one_is_told(notices: Notices) -> None:
    told: list[int] = []
    notices.changed = lambda: told.append(len(notices.items()))
    log.warning("one")
    log.info("not this")
    log.warning("two")
    assert told == [1, 2]
