"""The manual: its pages, its search, and what browsers are given."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from support.places import MANUAL

from sdv2_live import manual
from sdv2_live.cli import main
from sdv2_live.errors import ConfigError
from sdv2_live.manual import html

every_page = pytest.mark.parametrize("name", manual.pages())


class Links(HTMLParser):
    """Where a page's links, pictures and headings are."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        assert tag != "script"
        assert not any(name.startswith("on") or name == "style" for name in given)
        self.targets += [value for name in ("href", "src", "action") if (value := given.get(name))]
        self.places |= {value for value in (given.get("id"),) if value}


def test_the_contents_come_first_and_name_every_page_once() -> None:
    assert manual.pages()[0] == manual.CONTENTS
    assert sorted(manual.pages()[1:]) == sorted(page.stem for page in MANUAL.glob("*.md") if page.stem != "README")


@pytest.mark.parametrize("name", ["../README", "preset", "README", "", "/etc/passwd", "contents.md"])
def test_a_page_that_is_not_there_is_refused_with_the_nearest(name: str) -> None:
    with pytest.raises(ConfigError, match="the manual has no page"):
        manual.page(name)


def test_the_nearest_page_is_named() -> None:
    with pytest.raises(ConfigError, match="presets"):
        manual.page("preset")


def test_all_words_must_be_there_and_headings_come_first() -> None:
    found = manual.search("Morph Preset")
    assert found
    for one in found:
        text = f"{one.section.heading}\n{one.section.text}".lower()
        assert "morph" in text
        assert "preset" in text
        assert "morph" in one.line.lower() or "preset" in one.line.lower() or not one.line
    assert manual.search("glossary")[0].section.page == "glossary"
    assert manual.search("morph xyzzy") == []
    assert manual.search("  ") == []


@every_page
def test_links_of_the_served_page_stay_within_the_manual(name: str) -> None:
    links = Links(html.page(name))
    for target in links.targets:
        if target.startswith("https://") or target in ("/", "/manual", "/manual/manual.css"):
            continue
        path, _, place = target.partition("#")
        if path.startswith("/manual/pictures/"):
            assert (MANUAL / path.removeprefix("/manual/")).is_file()
            continue
        page = path.removeprefix("/manual/") if path else name
        assert page in manual.pages(), target
        assert not place or place in Links(html.page(page)).places, target


def test_a_link_into_the_source_tree_is_only_its_text() -> None:
    assert "config/presets" in html.page("presets")
    assert "../" not in html.page("presets")


def test_tables_and_code_are_set_and_nothing_of_a_search_is_markup() -> None:
    page = html.page("osc")
    assert page.count("<table>") >= 2
    assert "<code>/sdv2/noise_scale</code>" in page
    answer = html.found('"><script>alert(1)</script>')
    assert "<script" not in answer
    assert "&lt;script&gt;" in answer


def test_the_page_that_is_read_is_marked_in_the_contents() -> None:
    assert re.findall(r'<a href="/manual/([\w-]+)" aria-current="page">', html.page("takes")) == ["takes"]


def test_the_terminal_prints_a_page_or_what_a_search_finds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["manual", "first", "show"]) == 0
    assert capsys.readouterr().out == manual.page("first-show")
    assert main(["manual", "pickup", "faders"]) == 0
    assert "midi\tMIDI controllers: Maps\t" in capsys.readouterr().out
    assert main(["manual", "xyzzy"]) == 1
    assert "no page of the manual has all of: xyzzy" in capsys.readouterr().out
    assert main(["manual"]) == 0
    assert capsys.readouterr().out == manual.page(manual.CONTENTS)
