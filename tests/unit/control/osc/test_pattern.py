"""OSC address patterns mean what a plain reading of the rules says, and none is slow."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdv2_live.control.osc.pattern import matches, read_pattern

ADDRESSES = ("/sdv2/adapt_sink_threshold", "/sdv2/prompt/1/weight", "/" + "a" * 60, "/sdv2/" + "/".join("abcdefgh"))
EVIL = (
    "/sdv2/" + "{,,,}" * 18 + "!",
    "/sdv2/" + "{a,aa,aaa,}" * 8 + "!",
    "/" + "*a" * 49 + "!",
    "/" + "*?" * 49,
    "/" + "*[!b]" * 19 + "!",
    "*{,}" * 25,
    "*" * 100,
    "[" * 100,
    "{" + "," * 98 + "}",
)


def means(pattern: str, address: str) -> bool:
    """The rules of OSC 1.0, every possibility tried: for small inputs only."""
    if not pattern:
        return not address
    head, rest = pattern[0], pattern[1:]
    if head == "*":
        most = len(address.partition("/")[0])
        return any(means(rest, address[taken:]) for taken in range(most + 1))
    if head == "{" and "}" in rest:
        words, _, rest = rest.partition("}")
        return any(address.startswith(word) and means(rest, address[len(word) :]) for word in words.split(","))
    if head == "[" and "]" in rest:
        inside, _, rest = rest.partition("]")
        return bool(address) and listed(inside, address[0]) and means(rest, address[1:])
    if head == "?":
        return bool(address) and address[0] != "/" and means(rest, address[1:])
    return address.startswith(head) and means(rest, address[1:])


def listed(inside: str, char: str) -> bool:
    negated, rest, chars = inside.startswith("!"), inside.removeprefix("!"), set[str]()
    while rest:
        last = rest[2] if rest[1:2] == "-" and len(rest) > 2 else rest[0]
        chars |= {chr(code) for code in range(ord(rest[0]), ord(last) + 1)}
        rest = rest[3 if rest[1:2] == "-" and len(rest) > 2 else 1 :]
    return char != "/" and (char in chars) != negated


@settings(max_examples=500, deadline=None)
@given(
    pattern=st.lists(st.sampled_from([*"ab/*?[]{},!-", "{a,ab}", "{,b/a}", "[a-b]", "[!a]"]), max_size=8).map("".join),
    address=st.text("ab/", max_size=6),
)
def test_any_pattern_means_what_the_rules_say(pattern: str, address: str) -> None:
    assert matches(read_pattern(pattern), address) == means(pattern, address)


class Counted(str):
    """An address that counts how often a part of it is looked at."""

    looks = 0

    def startswith(self, *args: Any) -> bool:
        self.looks += 1
        return super().startswith(*args)

    def __getitem__(self, key: Any) -> str:
        self.looks += 1
        return super().__getitem__(key)


@pytest.mark.parametrize("pattern", EVIL)
@pytest.mark.parametrize("address", ADDRESSES)
def test_work_is_bounded_by_the_lengths_of_pattern_and_address(pattern: str, address: str) -> None:
    counted = Counted(address)
    matches(read_pattern(pattern), counted)
    assert counted.looks <= len(pattern) * (len(address) + 1)
