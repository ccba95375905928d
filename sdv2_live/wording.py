"""Words for messages that repeat other people's text: short, on one line, with suggestions for misspelt names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any

_SHOWN = 80  # characters of a refused value that an error repeats
_COMPARED = 64  # characters of a name for which a similar one is looked for
_CANDIDATES = 500
_WORDS: Mapping[bool | None, str] = MappingProxyType({None: "nothing", True: "true", False: "false"})


def shown(value: Any) -> str:
    """`value` for an error message: quoted, on one line, never longer than a line."""
    text = _WORDS[value] if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def escaped(text: str) -> str:
    """`text` with control characters and line separators escaped, which could break or forge a line of a log or message."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def nearest(name: str, names: Iterable[str], root: str = "", alike: float = 0.6) -> str:
    """'; did you mean ...?' for the closest of `names`, or an empty string when none is close.

    Looks at no more than the first 64 characters of `name` and the first 500 of `names`: any sender may ask, thousands of times.

    Args:
        name: the unknown name.
        names: the known names.
        root: printed before the suggestion.
        alike: the share of letters in common, 0..1, that is close enough.
    """
    close = difflib.get_close_matches(name[:_COMPARED].lower(), list(islice(names, _CANDIDATES)), n=1, cutoff=alike)
    return f"; did you mean '{root}{close[0]}'?" if close else ""
