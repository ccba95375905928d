"""What a show prints of where it is played from."""

from __future__ import annotations

import logging
import webbrowser
from types import SimpleNamespace
from typing import Any

import pytest
from support.waiting import eventually

from sdv2_live.commands.ways import open_page, page_lines

URL = "http://127.0.0.1:9000/"


def page(host: str = "127.0.0.1", token: str = "") -> Any:
    return SimpleNamespace(host=host, port=9000, ticket=SimpleNamespace(token=token))


@pytest.fixture
def networked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdv2_live.control.page.address.ways_in", lambda host: {"192.168.1.20": "wlan0"})
    monkeypatch.setattr("sys.stdout", SimpleNamespace(encoding="utf-8"))


def test_on_loopback_it_is_one_line() -> None:
    assert list(page_lines(page())) == [f"the page: {URL}"]
    assert list(page_lines(None)) == []


def test_opened_it_says_the_token_and_shows_a_code(networked: None, caplog: pytest.LogCaptureFixture) -> None:
    mine, other, code = page_lines(page("0.0.0.0", "secret-token"))
    assert mine == f"the page: {URL}"
    assert other == "the page from other machines, by wlan0: http://192.168.1.20:9000/?token=secret-token"
    assert set(code) == set(" ▀▄█\n")
    assert not caplog.records


def test_opened_without_a_token_it_warns(networked: None, caplog: pytest.LogCaptureFixture) -> None:
    assert list(page_lines(page("0.0.0.0")))[1].endswith("by wlan0: http://192.168.1.20:9000/")
    assert "ui.token is none" in caplog.text


def test_a_terminal_without_blocks_gets_no_code(networked: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", SimpleNamespace(encoding="ascii"))
    assert len(list(page_lines(page("0.0.0.0", "secret-token")))) == 2


def test_the_browser_is_opened_where_there_is_a_desktop(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: bool(opened.append(url) or True))
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    open_page(page())
    assert caplog.messages == [f"there is no desktop here to open a browser on; open {URL}"]
    monkeypatch.setenv("DISPLAY", ":0")
    open_page(page())
    eventually("it is opened", lambda: opened == [URL])
    caplog.set_level(logging.WARNING)
    open_page(None)
    assert "there is no page to open" in caplog.text
