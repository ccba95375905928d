"""Explanations of the YAML parser's errors, with advice: mostly a prompt that needs quotes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

_QUOTES = "put the text in quotes"
_REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        r"found another document": "a second document begins here; keep one of them",
        r"mapping values are not allowed": f"a text with a colon and a space in it looks like another key; {_QUOTES}",
        r"found character '\\t'": f"a tab where only spaces can be; indent with spaces, and {_QUOTES} where it holds a tab",
        r"found character '(.+)' that cannot start": rf"a text cannot begin with \1; {_QUOTES}",
        r"expected alphabetic or numeric character": f"a text cannot begin with * or &; {_QUOTES}",
        r"expected chomping or indentation|a comment or a line break": f"a text cannot begin with > or |; {_QUOTES}",
        r"sequence entries are not allowed": f"a text cannot begin with -; {_QUOTES}",
        r"mapping keys are not allowed": f"a text cannot begin with ?; {_QUOTES}",
        r"expected the node content": f"a text cannot begin so; {_QUOTES}",
        r"tag|URI|directive": f"a text cannot begin with ! or %; {_QUOTES}",
        r"unexpected end of stream": "a quote that is opened here is never closed; close it, or double a quote within the text",
        r"unknown escape character|escape sequence": r"in double quotes a \\ begins an escape; use single quotes",
        r"expected ',' or": f"a bracket that is opened is not closed, or a text begins with one; close it, or {_QUOTES}",
        r"could not find expected ':'": f"neither a key with its value nor part of a text; {_QUOTES}, or indent its lines",
        r"expected <block end>": f"text after a closing quote or bracket, or uneven indentation; {_QUOTES}, and double "
        "each quote within it",
    }
)


def opened(problem: str) -> bool:
    """True when the place where something began tells more than the place where the parser gave up."""
    return bool(re.search(r"end of stream|expected ',' or|could not find expected ':'", problem))


def remedy(problem: str) -> str:
    """The parser's `problem` with advice; its own words where none is known."""
    for pattern, words in _REMEDIES.items():
        if found := re.search(pattern, problem):
            return found.expand(words)
    return problem


def joined(text: str) -> str:
    """`text` with each pair of surrogates, as JSON writes an emoji, joined into one character."""
    if not any("\ud800" <= char <= "\udfff" for char in text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
