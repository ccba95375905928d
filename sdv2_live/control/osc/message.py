"""One OSC message: bytes to an address and arguments, in the forms that real senders write.

Accepted beyond OSC 1.0: symbols (S) and characters (c) as text, impulses (I) as true, and missing padding at the very end. Any
other unreadable data is refused with a sentence.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

MAX_ARRAYS = 8  # within one another
MAX_ARGUMENTS = 2048

_TEXT = frozenset("sS")
_PLAIN = {"T": True, "F": False, "N": None, "I": True}
_FIXED = {
    tag: struct.Struct(form)
    for tag, form in {"i": ">i", "h": ">q", "f": ">f", "d": ">d", "r": ">I", "c": ">I", "m": ">4s", "t": ">8s"}.items()
}
_TAGS = _TEXT | _PLAIN.keys() | _FIXED.keys() | frozenset("b[]")


class UnreadableError(Exception):
    """The data is not OSC. address: the message's, as far as it could be read."""

    def __init__(self, reason: str, address: str = "") -> None:
        super().__init__(reason)
        self.address = address


@dataclass(frozen=True, slots=True)
class Message:
    """One OSC message: an address and its arguments as Python values."""

    address: str
    args: tuple[Any, ...] = ()
    size: int = field(default=0, compare=False, repr=False)  # bytes in its packet


def read_message(data: bytes) -> Message:
    """Read one message. Raises UnreadableError."""
    if not data.startswith(b"/"):
        raise UnreadableError("neither a message (an address begins with /) nor a bundle")
    reader = _Reader(data)
    address = reader.text("the address")
    try:
        return Message(address, tuple(reader.arguments()), len(data))
    except UnreadableError as error:
        raise UnreadableError(str(error), address) from None


class _Reader:
    """Reads a message from start to end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def text(self, what: str) -> str:
        end = self._data.find(b"\0", self._place)
        end = len(self._data) if end < 0 else end
        try:
            text = self._data[self._place : end].decode()
        except UnicodeDecodeError:
            raise UnreadableError(f"{what} is not UTF-8, as text must be here") from None
        self._place = _padded(end + 1)
        return text

    def arguments(self) -> list[Any]:
        if self._place >= len(self._data):
            return []
        if self._data[self._place : self._place + 1] != b",":
            raise UnreadableError("the message has no type tags, without which its arguments cannot be told apart")
        tags = self.text("the list of type tags")[1:]
        if unknown := sorted(set(tags) - _TAGS):
            raise UnreadableError(f"arguments of type {unknown[0]!r} are not known")
        if len(tags) > MAX_ARGUMENTS:
            raise UnreadableError(f"the message has {len(tags)} arguments; at most {MAX_ARGUMENTS} are taken")
        stack: list[list[Any]] = [[]]
        for number, tag in enumerate(tags, start=1):
            if tag == "[":
                stack[-1].append([])
                stack.append(stack[-1][-1])
            elif tag == "]":
                stack.pop()
            else:
                stack[-1].append(_PLAIN[tag] if tag in _PLAIN else self._argument(tag, f"argument {number}"))
            if len(stack) > MAX_ARRAYS + 1:
                raise UnreadableError(f"arrays within more than {MAX_ARRAYS} others are not taken")
            if not stack:
                raise UnreadableError("an array ends that did not begin")
        if len(stack) > 1:
            raise UnreadableError("an array does not end")
        return stack[0]

    def _argument(self, tag: str, what: str) -> Any:
        if tag in _TEXT:
            if self._place >= len(self._data):
                raise UnreadableError(f"the message ends before {what}")
            return self.text(what)
        if tag == "b":
            return self._blob(what)
        if tag == "f" and 0 < len(self._data) - self._place < 4:  # Reaktor leaves out the last zeros of a message
            return struct.unpack(">f", self._data[self._place :].ljust(4, b"\0"))[0]
        value = self._fixed(tag, what)
        if tag != "c":
            return value
        if not 0 < value < 0x110000 or 0xD800 <= value < 0xE000:
            raise UnreadableError(f"{what} is no character")
        return chr(value)

    def _blob(self, what: str) -> bytes:
        size = self._fixed("i", what)
        if not 0 <= size <= len(self._data) - self._place:
            raise UnreadableError(f"the message ends within {what}")
        start, self._place = self._place, _padded(self._place + size)
        return self._data[start : start + size]

    def _fixed(self, tag: str, what: str) -> Any:
        form = _FIXED[tag]
        if self._place + form.size > len(self._data):
            raise UnreadableError(f"the message ends before {what}")
        self._place += form.size
        return form.unpack_from(self._data, self._place - form.size)[0]


def _padded(place: int) -> int:
    """The place where the next item begins: every item takes a multiple of four bytes."""
    return -(-place // 4) * 4
