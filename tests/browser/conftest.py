"""A real show with the embedded model, and a real browser at it; both are started once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.browser import Browser, browser, missing
from support.daemon import running
from support.stage import Stage, options
from support.waiting import eventually


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    own = [item for item in items if here in item.path.parents]
    for item in own:
        item.add_marker(pytest.mark.browser)
        if reason := missing():
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    with running(*options(folder)) as daemon:
        made = Stage(daemon, folder)
        eventually("the engine", lambda: made["info/engine"] == "running" and made["status/chunk"], 120)
        yield made


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with browser() as one:
        yield one


@pytest.fixture
def page(stage: Stage, chromium: Browser) -> Iterator[Browser]:
    """The page of the show on a desktop; afterwards the browser has complained of nothing."""
    chromium.complaints()
    chromium.open(stage.address)
    yield chromium
    assert chromium.complaints() == []
    assert chromium.foreign() == []
