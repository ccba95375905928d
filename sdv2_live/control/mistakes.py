"""Mistakes in files as data: what a list shows beside the file."""

from __future__ import annotations

import re
from typing import Any

_SENTENCE = re.compile(r"(?P<file>.+?\.(?:ya?ml|json))(?::(?P<line>\d+))?: (?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_KEY = re.compile(r"(?P<key>[\w./\[\]-]+)(?:: | (?=cannot be |has no value))")


def mistake_of(sentence: str) -> dict[str, Any]:
    """A sentence on a mistake, such as 'a.yaml:7: noise_scale cannot be 2; ...', as its parts.

    Returns:
        file (its name alone), line (None where the file as a whole is meant), key (may be empty), text.
    """
    found = _SENTENCE.match(sentence)
    if found is None:
        return {"file": "", "line": None, "key": "", "text": sentence}
    key = _KEY.match(found["rest"])
    name = re.split(r"[/\\]", found["file"])[-1]
    line = int(found["line"]) if found["line"] else None
    return {"file": name, "line": line, "key": key["key"] if key else "", "text": found["rest"]}
