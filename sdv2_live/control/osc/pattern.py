"""OSC address patterns (OSC 1.0, "OSC Message Dispatching and Pattern Matching").

Any sender may choose any pattern, so no pattern may be slow. A pattern is matched part by part: each part maps the set of places
in the address that the parts before it reach to the set that it reaches itself. No place is tried twice, and the work is at most
the pattern's length times the address's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

CHARACTERS = frozenset("*?[]{}")  # an address without any of these is no pattern


class Part(Protocol):
    """A piece of a pattern."""

    def ends(self, address: str, starts: set[int]) -> set[int]:
        """The places in `address` at which this part can end when it begins at one of `starts`."""
        ...


class _Star:
    """`*`: any characters of one part of the address."""

    def ends(self, address: str, starts: set[int]) -> set[int]:
        reached: set[int] = set()
        reaching = False
        for place in range(min(starts), len(address) + 1):
            reaching = reaching or place in starts
            if reaching:
                reached.add(place)
            if address[place : place + 1] == "/":
                reaching = False
        return reached


@dataclass(frozen=True, slots=True)
class _One:
    """`?` or `[...]`: one character except `/`.

    Attributes:
        ranges: first and last character of each range.
        negated: the character must lie outside all ranges.
    """

    ranges: tuple[tuple[str, str], ...] = ()
    negated: bool = True

    def ends(self, address: str, starts: set[int]) -> set[int]:
        return {place + 1 for place in starts if place < len(address) and self._takes(address[place])}

    def _takes(self, char: str) -> bool:
        return char != "/" and any(first <= char <= last for first, last in self.ranges) != self.negated


@dataclass(frozen=True, slots=True)
class _Words:
    """`{one,other}`, or the plain text between the special characters."""

    words: tuple[str, ...]

    def ends(self, address: str, starts: set[int]) -> set[int]:
        return {place + len(word) for word in self.words for place in starts if address.startswith(word, place)}


def matches(parts: tuple[Part, ...], address: str) -> bool:
    """True when the pattern matches the address."""
    places = {0}
    for part in parts:
        places = part.ends(address, places)
        if not places:
            return False
    return len(address) in places


def read_pattern(pattern: str) -> tuple[Part, ...]:
    """The parts of a pattern. A bracket or brace that is not closed stands for itself."""
    return tuple(_parts(pattern))


def _parts(pattern: str) -> Iterator[Part]:
    closing = {"[": "]", "{": "}"}
    place = plain = 0
    while place < len(pattern):
        char = pattern[place]
        end = pattern.find(closing[char], place) if char in closing else place
        while pattern[end + 1 : end + 2] == char == "*":
            end += 1  # several stars mean what one does
        if (char not in closing and char not in "*?") or end < 0:
            place += 1
            continue
        if plain < place:
            yield _Words((pattern[plain:place],))
        inside = pattern[place + 1 : end]
        match char:
            case "*":
                yield _Star()
            case "?":
                yield _One()
            case "[":
                yield _One(_ranges(inside.removeprefix("!")), negated=inside.startswith("!"))
            case "{":
                yield _Words(tuple(dict.fromkeys(inside.split(","))))
        place = plain = end + 1
    if plain < place:
        yield _Words((pattern[plain:place],))


def _ranges(chars: str) -> tuple[tuple[str, str], ...]:
    """`a-z` is a range, which is empty when it runs backwards; a minus at either end stands for itself."""
    ranges = []
    place = 0
    while place < len(chars):
        last = place + 2 if chars[place + 1 : place + 2] == "-" and place + 2 < len(chars) else place
        ranges.append((chars[place], chars[last]))
        place = last + 1
    return tuple(ranges)
