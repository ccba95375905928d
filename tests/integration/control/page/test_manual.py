"""The manual as a browser reads it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from sdv2_live.control.http.server import HttpServer
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.page.lists import Lists
from sdv2_live.control.page.page import Page
from sdv2_live.control.page.ticket import Ticket


@pytest.fixture
def url(server: OscServer) -> Iterator[str]:
    http = HttpServer(server.loop, server.host, 0)
    Page(http, Lists(), Ticket("", http.port))
    with http:
        yield f"http://127.0.0.1:{http.port}/manual"
    assert http.counters.failures == 0


def read(url: str, **headers: str) -> tuple[int, str, str]:
    """Status, content type and text of an answer."""
    try:
        with urlopen(Request(url, headers=headers), timeout=30) as answer:
            return answer.status, answer.headers.get_content_type(), answer.read().decode()
    except HTTPError as error:
        return error.code, error.headers.get_content_type(), error.read().decode()


def test_its_contents_lead_to_every_page_and_the_search_finds(url: str) -> None:
    assert "The manual of sdv2-live" in read(url)[2]
    status, kind, text = read(f"{url}/presets")
    assert (status, kind) == (200, "text/html")
    assert 'id="recall"' in text
    found = read(f"{url}?q=morph+presets")[2]
    assert '<a href="/manual/presets#recall">' in found
    assert "Nothing has all of: xyzzy" in read(f"{url}?q=xyzzy")[2]
    assert "<script" not in read(f"{url}?q=%3Cscript%3E")[2]
    assert "The manual of sdv2-live" in read(f"{url}?q=+")[2]


def test_pictures_and_style_are_served_and_nothing_else_of_the_folder(url: str) -> None:
    assert read(f"{url}/manual.css")[1] == "text/css"
    assert read(f"{url}/pictures/flow.svg")[1] == "image/svg+xml"
    for name in ("html.py", "README.md", "presets.md", "../errors", "..%2f..%2fpyproject.toml", "pictures", "a%00b"):
        assert read(f"{url}/{name}")[0] in (400, 404), name
    assert "the manual has no page" in read(f"{url}/preset")[2]


def test_it_is_guarded_as_the_page_is(url: str) -> None:
    assert read(url, Origin="http://elsewhere.example")[0] == 403
    with urlopen(url, timeout=30) as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "form-action 'self'" in policy
