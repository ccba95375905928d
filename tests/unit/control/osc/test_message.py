"""OSC messages as programs really send them: taken where the meaning is plain, refused with a sentence where it is not."""

from __future__ import annotations

import struct
import sys
from typing import Any

import pytest

from sdv2_live.control.osc.foreign import SCOPE_IGNORED
from sdv2_live.control.osc.message import MAX_ARGUMENTS, UnreadableError, read_message
from sdv2_live.control.params import Params
from sdv2_live.control.store import ParamStore


def padded(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return data + b"\0" * (4 - len(data) % 4)


def message(address: str, tags: str, *values: bytes) -> bytes:
    return padded(address) + padded("," + tags) + b"".join(values)


INT, FLOAT = struct.pack(">i", 7), struct.pack(">f", 0.5)


@pytest.mark.parametrize(
    ("data", "args"),
    [
        (message("/x", "iT[sf]N", INT, padded("ink"), FLOAT), (7, True, ["ink", 0.5], None)),
        (message("/x", "S", padded("a symbol")), ("a symbol",)),
        (message("/x", "ci", struct.pack(">i", ord("é")), INT), ("é", 7)),
        (message("/x", "I"), (True,)),
        (message("/x", "hd", struct.pack(">q", 2**40), struct.pack(">d", 0.1)), (2**40, 0.1)),
        (message("/x", "b", struct.pack(">i", 5), b"12345\0\0\0"), (b"12345",)),
        (message("/x", "rmt", b"\0\0\0\1", b"\1\2\3\4", b"12345678"), (1, b"\1\2\3\4", b"12345678")),
        (message("/x", "s", padded("日本 ❄")), ("日本 ❄",)),
        # padding that is missing at the end
        (b"/x", ()),
        (b"/x\0", ()),
        (b"/x\0\0,", ()),
        (b"/x\0\0,T", (True,)),
        (message("/x", "s", b"ink"), ("ink",)),
        (message("/x", "s", b"ink wash\0"), ("ink wash",)),
        (message("/x", "b", struct.pack(">i", 5), b"12345"), (b"12345",)),
        (message("/x", "f", struct.pack(">f", 0.5)[:2]), (0.5,)),
    ],
)
def test_what_is_plain_is_taken(data: bytes, args: tuple[Any, ...]) -> None:
    read = read_message(data)
    assert (read.address, read.args, read.size) == ("/x", args, len(data))


@pytest.mark.parametrize(
    ("data", "address", "reason"),
    [
        (b"junk", "", "neither a message (an address begins with /) nor a bundle"),
        (padded(b"/x" + b"\xfc"), "", "the address is not UTF-8, as text must be here"),
        (message("/x", "is", INT, padded("Bühne".encode("latin-1"))), "/x", "argument 2 is not UTF-8, as text must be here"),
        (padded("/x") + FLOAT, "/x", "the message has no type tags, without which its arguments cannot be told apart"),
        (message("/x", "iz", INT), "/x", "arguments of type 'z' are not known"),
        (message("/x", "ii", INT), "/x", "the message ends before argument 2"),
        (message("/x", "s"), "/x", "the message ends before argument 1"),
        (message("/x", "f"), "/x", "the message ends before argument 1"),
        (message("/x", "d", b"\0" * 7), "/x", "the message ends before argument 1"),
        (message("/x", "b", struct.pack(">i", -8) + b"\0" * 8), "/x", "the message ends within argument 1"),
        (message("/x", "b", struct.pack(">i", 9) + b"\0" * 8), "/x", "the message ends within argument 1"),
        (message("/x", "c", struct.pack(">i", 0xD800)), "/x", "argument 1 is no character"),
        (message("/x", "[i", INT), "/x", "an array does not end"),
        (message("/x", "i]", INT), "/x", "an array ends that did not begin"),
        (message("/x", "[" * 9 + "]" * 9), "/x", "arrays within more than 8 others are not taken"),
        (message("/x", "[]" * 2000), "/x", f"the message has 4000 arguments; at most {MAX_ARGUMENTS} are taken"),
    ],
)
def test_what_is_not_is_refused_with_a_sentence(data: bytes, address: str, reason: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        read_message(data)
    assert (caught.value.address, str(caught.value)) == (address, reason)


def test_no_depth_of_arrays_is_too_much_for_the_reader() -> None:
    for depth in (8, 9, sys.getrecursionlimit(), 20_000):
        data = message("/sdv2/seed", "[" * depth + "]" * depth)
        if depth == 8:
            assert repr(read_message(data).args) == "(" + "[" * 8 + "]" * 8 + ",)"
        else:
            with pytest.raises(UnreadableError):
                read_message(data)


@pytest.mark.parametrize(
    ("address", "args", "name", "value"),
    [
        ("/sdv2/prompt", ("an", "ink", "drawing", "fox"), "prompt", "an ink drawing fox"),
        ("/sdv2/prompt", (2, "red", "kites"), "prompt", "2 red kites"),
        ("/sdv2/prompt/2/text", ("grain", 0.25, "of", 3.0), "prompts", ("grain 0.25 of 3", *[""] * 6)),
        ("/sdv2/cue_prompt", (["an", "ink", "fox"],), "cue_prompt", "an ink fox"),
        ("/scope/prompts", ("an", "ink", "fox"), "prompt", "an ink fox"),
        ("/scope/interpolation_method", ("slerp",), "interpolation", "slerp"),
        ("/scope/main/noise_scale", (0.25,), "noise_scale", 0.25),
        ("/scope/streamdiffusionv2/paused", (True,), "freeze", True),
        ("/scope/main/interpolation_method", ("slerp",), "interpolation", "slerp"),
    ],
)
def test_texts_of_several_words_and_the_names_of_scope(
    address: str, args: tuple[Any, ...], name: str, value: Any, store: ParamStore, client: Any, wait: Any
) -> None:
    client.send(address, *args)
    wait(lambda: getattr(store.latest(), name) == value)


@pytest.mark.parametrize(
    ("address", "args", "reason"),
    [
        ("/sdv2/prompt", (1, 2), "prompt cannot be (1, 2); give text of at most 4000 characters"),
        ("/sdv2/prompt", ("a", None), "prompt cannot be ('a', None); give text of at most 4000 characters"),
        ("/sdv2/preset", ("warm", "night"), "preset: no presets are loaded"),
        ("/scope/vace_scale", (1.0,), "there is no such address"),
        ("/scope/main/nothing", (1.0,), "there is no such address"),
        ("/scope/noise_scal", (1.0,), "there is no such address; did you mean '/scope/noise_scale'?"),
        ("/noise_scale", (1.0,), "there is no such address; did you mean '/sdv2/noise_scale'?"),
        ("/sdv2/preset/sav", ("x",), "there is no such address; did you mean '/sdv2/preset/save'?"),
    ],
)
def test_what_is_still_refused(address: str, args: tuple[Any, ...], reason: str, client: Any) -> None:
    client.send(address, *args)
    kind, where, answer = client.answer()
    assert (kind, where) == ("/sdv2/error", address)
    assert answer.removeprefix("osc 127.0.0.1:" + str(client.port) + ": ") == reason


@pytest.mark.parametrize("name", sorted(SCOPE_IGNORED))
@pytest.mark.parametrize("node", ["", "main/"])
def test_what_scope_always_has_is_no_mistake(
    name: str, node: str, store: ParamStore, client: Any, server: Any, wait: Any
) -> None:
    client.send(f"/scope/{node}{name}", "x")
    client.send("/sdv2/seed", 7)
    wait(lambda: store.latest() == Params(seed=7))
    assert server.counters.refused == 0
