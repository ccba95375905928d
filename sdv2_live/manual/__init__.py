"""The manual: Markdown pages that ship with the program, in the order of their contents (README.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from sdv2_live.errors import ConfigError
from sdv2_live.wording import nearest, shown

CONTENTS = "contents"
FOLDER = Path(__file__).parent
_MOST_FOUND = 20


class Section(NamedTuple):
    """A part of a page under one heading. `text` is its Markdown without the heading, `anchor` its place as browsers name it."""

    page: str
    heading: str
    anchor: str
    text: str


class Found(NamedTuple):
    """A section that holds all the words, and the first line of it that holds one."""

    section: Section
    line: str


@cache
def pages() -> tuple[str, ...]:
    """The names of all pages, the contents first, then as these list them."""
    return CONTENTS, *dict.fromkeys(re.findall(r"^- \[.*?\]\(([\w-]+)\.md\)", page(CONTENTS), re.M))


def page(name: str) -> str:
    """The Markdown of a page, by its name without .md; without the marks of generated parts.

    Raises:
        ConfigError: there is no such page; names the nearest one.
    """
    if name != CONTENTS and name not in pages():
        raise ConfigError(f"the manual has no page {shown(name)}{nearest(name, pages()) or '; sdv2-live manual lists them'}")
    file = FOLDER / ("README.md" if name == CONTENTS else f"{name}.md")
    return re.sub(r"<!--.*?-->\n?", "", file.read_text(encoding="utf-8"), flags=re.S)


def anchor(heading: str) -> str:
    """The name that GitHub and the served manual give a heading."""
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def search(words: str) -> list[Found]:
    """The sections in which every word occurs, those with a word in the heading first; at most 20."""
    wanted = words.lower().split()
    found = []
    for section in _sections() if wanted else ():
        heading, text = section.heading.lower(), section.text.lower()
        if all(word in heading or word in text for word in wanted):
            line = next((line for line in section.text.splitlines() if any(word in line.lower() for word in wanted)), "")
            found.append((-sum(word in heading for word in wanted), Found(section, _plain(line))))
    return [one for _, one in sorted(found, key=lambda pair: pair[0])][:_MOST_FOUND]


@cache
def _sections() -> tuple[Section, ...]:
    return tuple(section for name in pages() if name != CONTENTS for section in _split(name))


def _split(name: str) -> Iterator[Section]:
    title = ""
    fence = False
    heading, lines = "", list[str]()
    for line in page(name).splitlines():
        fence ^= line.lstrip().startswith("```")
        if not fence and (found := re.match(r"#+ (.+)", line)):
            if heading:
                yield Section(name, heading, anchor(heading.removeprefix(f"{title}: ")), "\n".join(lines))
            title = title or found[1]
            heading, lines = found[1] if found[1] == title else f"{title}: {found[1]}", []
        else:
            lines.append(line)
    yield Section(name, heading, anchor(heading.removeprefix(f"{title}: ")), "\n".join(lines))


def _plain(line: str) -> str:
    """A line of Markdown without its marks."""
    line = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", line)
    return re.sub(r"[`*]|^\W+|\\(?=\|)", "", line.replace(" | ", "  ")).strip(" |")
