"""The parameter table, and how values are read."""

from __future__ import annotations

import math
from itertools import count
from typing import Any

import pytest

from sdv2_live.control.coerce import coerce
from sdv2_live.control.params import PARAMS, Applies, Kind, Params, ParamSpec, spec_of, updated, value_of
from sdv2_live.errors import ParamError
from sdv2_live.wording import nearest


def read(name: str, value: Any) -> Any:
    return coerce(PARAMS[name], value, "here").value


def test_table_is_derived_from_the_fields() -> None:
    start = Params()
    for name, spec in PARAMS.items():
        assert spec.name == name
        assert spec.doc.endswith(".")
        if spec.kind is not Kind.TRIGGER:
            assert value_of(start, spec) == spec.default
    assert PARAMS["prompt_change"].choices == ("soft", "cut", "flush", "recache")
    assert PARAMS["freeze"].applies is Applies.AT_ONCE


@pytest.mark.parametrize("spec", [spec for spec in PARAMS.values() if spec.kept], ids=lambda spec: spec.name)
def test_every_default_reads_as_itself(spec: ParamSpec) -> None:
    value, note = coerce(spec, spec.default)
    assert (value, type(value), note) == (spec.default, type(spec.default), "")


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("noise_scale", 0.25, 0.25),
        ("noise_scale", 1, 1.0),
        ("noise_scale", True, 1.0),
        ("noise_scale", " 0.5 ", 0.5),
        ("noise_scale", "1e-1", 0.1),
        ("noise_scale", [0.25], 0.25),
        ("seed", 7.0, 7),
        ("seed", "9223372036854775807", 2**63 - 1),
        ("seed", 6.6, 7),
        ("freeze", 1.0, True),
        ("freeze", 0.0, False),
        ("freeze", "on", True),
        ("freeze", "False", False),
        ("freeze", "0", False),
        ("prompt", "neon \0night", "neon night"),
        ("prompt", "\ud800", "?"),
        ("prompt_change", "CUT", "cut"),
        ("prompt_change", 1.0, "cut"),
        ("prompt_change", 3, "recache"),
        ("memory", 1, 1.0),
        ("steps", [700, 500], (700, 500)),
        ("steps", (700.0, 500.0), (700, 500)),
        ("steps", "700,500", (700, 500)),
        ("steps", "[900, 600, 300]", (900, 600, 300)),
        ("steps", ["700 500"], (700, 500)),
        ("steps", 800, (800,)),
        ("preset", 3.0, "3"),
        ("preset", " Neon edges ", "Neon edges"),
        ("reset", [], True),
        ("reset", None, True),
        ("reset", 1.0, True),
        ("reset", 0, False),
    ],
)
def test_tolerant_reading(name: str, given: Any, value: Any) -> None:
    got = coerce(PARAMS[name], given)
    assert (got.value, type(got.value), got.note) == (value, type(value), "")


@pytest.mark.parametrize(
    ("name", "given", "value", "note"),
    [
        ("noise_scale", 1.5, 1.0, "noise_scale 1.5 was clamped to 1.0 (a number 0..1)"),
        ("seed", -3, 0, "seed -3 was clamped to 0 (an integer 0..9223372036854775807)"),
        ("seed", 1e300, 2**63 - 1, None),
        ("transition_chunks", 100, 64, "transition_chunks 100 was clamped to 64 (an integer 0..64 chunks)"),
        ("prompt", "x" * 4001, "x" * 4000, "prompt of 4001 characters was cut to 4000"),
        ("prompt_change", 7, "recache", "prompt_change 7 was clamped to 3 (recache)"),
        ("steps", [1400, 500], (1000, 500), "steps [1400, 500] was clamped to [1000, 500] (1..1000)"),
    ],
)
def test_out_of_range_is_clamped_and_noted(name: str, given: Any, value: Any, note: str | None) -> None:
    got = coerce(PARAMS[name], given)
    assert got.value == value
    assert got.note == note if note else got.note


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("noise_scale", "abc", "here: noise_scale cannot be 'abc'; give a number 0..1"),
        ("noise_scale", math.nan, "here: noise_scale cannot be nan (not a finite number); give a number 0..1"),
        ("noise_scale", "inf", "here: noise_scale cannot be 'inf' (not a finite number); give a number 0..1"),
        ("noise_scale", [0.1, 0.2], "here: noise_scale cannot be [0.1, 0.2]; give a number 0..1"),
        ("transition_chunks", None, "here: transition_chunks cannot be nothing; give an integer 0..64 chunks"),
        ("prompt", 3, "here: prompt cannot be 3; give text of at most 4000 characters"),
        ("freeze", "maybe", "here: freeze cannot be 'maybe'; give true or false"),
        ("prompt_change", "hard", "here: prompt_change cannot be 'hard'; give one of soft, cut, flush, recache"),
        (
            "steps",
            [500, 700],
            "here: steps cannot be [500, 700] (not strictly descending); "
            "give 1 to 4 strictly descending integers 1..1000, such as 700,500",
        ),
        (
            "steps",
            [5, 4, 3, 2, 1],
            "here: steps cannot be [5, 4, 3, 2, 1] (5 timesteps); "
            "give 1 to 4 strictly descending integers 1..1000, such as 700,500",
        ),
        ("preset", "", "here: preset cannot be ''; give a preset's name or number"),
        ("preset", 1.5, "here: preset cannot be 1.5; give a preset's name or number"),
        ("reset", "now", "here: reset cannot be 'now'; give no value, or any number but 0, to fire"),
    ],
)
def test_meaningless_is_refused_word_for_word(name: str, given: Any, message: str) -> None:
    with pytest.raises(ParamError) as caught:
        coerce(PARAMS[name], given, "here")
    assert str(caught.value) == message


def test_a_refused_value_is_not_repeated_at_length() -> None:
    with pytest.raises(ParamError) as caught:
        coerce(PARAMS["noise_scale"], "x" * 100_000)
    assert len(str(caught.value)) < 200


def test_a_family_is_read_and_written_by_slot() -> None:
    params = updated(Params(), {"prompt/3/text": "ink", "prompt/3/weight": 0.5, "prompt/1/weight": 0.25, "reset": True})
    assert params.prompts == ("", "ink", "", "", "", "", "")
    assert params.weights == (0.25, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert value_of(params, spec_of("prompt/3/text")) == "ink"
    assert spec_of("prompt/1/text") is PARAMS["prompt"]
    assert "prompt/9/text" not in PARAMS


def test_blend_counts_weighted_texts_and_is_never_empty() -> None:
    params = Params(prompt="one")
    assert params.blend == (("one", 1.0),)
    params = updated(params, {"prompt/2/text": "two", "prompt/2/weight": 0.5, "prompt/4/weight": 1.0})
    assert params.blend == (("one", 1.0), ("two", 0.5))
    assert updated(params, {"prompt/1/weight": 0.0}).blend == (("two", 0.5),)
    assert updated(params, {"prompt/1/weight": 0.0, "prompt/2/weight": 0.0}).blend == (("one", 1.0),)


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(ParamError) as caught:
        spec_of("noise_scal", "/sdv2/noise_scal")
    assert str(caught.value) == "/sdv2/noise_scal: there is no parameter 'noise_scal'; did you mean 'noise_scale'?"


def test_a_suggestion_is_looked_for_among_a_bounded_number() -> None:
    assert nearest("name 70" + " " * 10_000, ["name 7"]) == ""
    assert nearest("name 70", (f"name {number}" for number in count())) == "; did you mean 'name 70'?"


def test_names_cannot_forge_a_line() -> None:
    with pytest.raises(ParamError) as caught:
        spec_of("seed\nWARNING: all is lost\x1b[2J")
    assert str(caught.value).isprintable()


def test_unknown_name_with_nothing_near_lists_them() -> None:
    with pytest.raises(
        ParamError,
        match=r"^there is no parameter 'zzz'; the parameters are prompt, prompt/2/text, prompt/1/weight, .*take, ",
    ):
        spec_of("zzz")
