"""The manual's pages as HTML, for browsers: whole, without scripts, and without a link that leads out of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

from sdv2_live import manual

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark">
<title>{title} - sdv2-live</title>
<link rel="stylesheet" href="/manual/manual.css">
</head>
<body>
<header><a href="/">sdv2-live</a> <a href="/manual">Manual</a>
<form action="/manual" role="search">
<input type="search" name="q" value="{words}" aria-label="Search the manual" placeholder="Search">
</form>
</header>
<nav aria-label="Pages">{contents}</nav>
<main>{body}</main>
</body>
</html>
"""


def page(name: str) -> str:
    """A page of the manual. Raises ConfigError when there is none of this name."""
    body = _rendered(manual.page(name))
    return _framed(_title(name), body).replace(f'<a href="/manual/{name}">', f'<a href="/manual/{name}" aria-current="page">', 1)


def found(words: str) -> str:
    """What a search for these words finds, as a page."""
    results = manual.search(words)
    items = "".join(
        f'<li><a href="/manual/{section.page}#{section.anchor}">{escape(section.heading)}</a><br>{escape(line)}</li>'
        for section, line in results
    )
    body = f"<h1>Search</h1><ul>{items}</ul>" if results else f"<h1>Search</h1><p>Nothing has all of: {escape(words)}</p>"
    return _framed("Search", body, words)


def _framed(title: str, body: str, words: str = "") -> str:
    contents = _rendered(re.sub(r"\A# .*?(?=^## )", "", manual.page(manual.CONTENTS), flags=re.S | re.M))
    contents = re.sub(r"</a>: [^<]*", "</a>", contents)
    return _PAGE.format(title=escape(title), words=escape(words), contents=contents.replace("h2", "h3"), body=body)


def _title(name: str) -> str:
    return manual.page(name).partition("\n")[0].lstrip("# ")


def _rendered(markdown: str) -> str:
    tokens = _MARKDOWN.parse(markdown)
    for token, following in pairwise(tokens):
        if token.type == "heading_open":
            token.attrSet("id", manual.anchor(following.content))
        if token.children is not None:
            token.children = _within(token.children)
    return str(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))


def _within(tokens: Sequence[Token]) -> list[Token]:
    """The inline tokens with links to pages as the server has them; a link to a file of the source tree is only its text."""
    kept: list[Token] = []
    dropped = False
    for token in tokens:
        if token.type == "link_open":
            target = str(token.attrGet("href"))
            name, _, place = target.partition("#")
            dropped = not (target.startswith(("https://", "http://", "#")) or re.fullmatch(r"[\w-]+\.md", name))
            if name.endswith(".md") and not dropped:
                token.attrSet("href", f"/manual/{name.removesuffix('.md')}{'#' + place if place else ''}")
        elif token.type == "image":
            token.attrSet("src", f"/manual/{token.attrGet('src')}")
        elif token.type == "link_close" and dropped:
            dropped = False
            continue
        if not (token.type == "link_open" and dropped):
            kept.append(token)
    return kept
