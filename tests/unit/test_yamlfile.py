"""YAML as performers write it: prompts without quotes, times, and what the parser's complaints become."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from sdv2_live.config.load import load_config
from sdv2_live.control.presets.file import load_preset
from sdv2_live.control.timeline.files import load_timeline
from sdv2_live.errors import ConfigError
from sdv2_live.yamlfile import parse_yaml

QUOTES = "put the text in quotes"


def preset(tmp_path: Path, prompt: str) -> Path:
    path = tmp_path / "a.yaml"
    path.write_text(f"params:\n  prompt: {prompt}\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("prompt", "line", "remedies"),
    [
        ("style: ink, mood: dark", 2, ("colon", QUOTES)),
        ("@artist in ink", 2, ("begin with @", QUOTES)),
        ("`code` rain", 2, ("begin with `", QUOTES)),
        ("%d dancers", 2, ("begin with %", QUOTES)),
        ("'it's neon'", 2, (QUOTES, "double each quote")),
        ('"neon" tubes', 2, (QUOTES,)),
        ("[close-up] of hands", 2, (QUOTES,)),
        ("{a|b} of hands", 2, (QUOTES,)),
        ("[close-up, hands", 2, ("bracket", QUOTES)),
        ("[close-up, hands]", 2, ("bracket", "in quotes")),
        ("{hands}", 2, ("bracket", "in quotes")),
        ("*star* light", 2, ("begin with *", QUOTES)),
        ("*star", 2, ("begins with *", "in quotes")),
        ("&B deep soul", 2, ("begins with &", "in quotes")),
        ("!wow neon", 2, ("begins with !", "in quotes")),
        ("!wow! neon", 2, ("begin with !", QUOTES)),
        ("> neon", 2, ("begin with >", QUOTES)),
        ("| neon", 2, ("|", QUOTES)),
        ("- neon", 2, ("begin with -", QUOTES)),
        ("? neon", 2, ("?", QUOTES)),
        (", neon", 2, (QUOTES,)),
        ('"neon', 2, ("never closed",)),
        ("'it's", 2, (QUOTES, "double each quote")),
        (r'"C:\pictures"', 2, ("begins an escape", "single quotes")),
        ("ink\n\tnoise_scale: 0.7", 3, ("tab", "spaces")),
        ("ink\nneon tubes\n", 3, (QUOTES, "indent")),
        ("#ff00ff neon", 2, ("# begins a comment", "in quotes")),
        ("ink\tneon", 2, ("tab", QUOTES)),
        ("ink\n---\nparams: {seed: 1}", 3, ("second document",)),
        ("ink \x1b[31m", 2, ("U+001B", "remove it")),
        ("[" * 5000, 2, ("nested deeper than 40",)),
        ("~", 2, ("cannot be nothing",)),
        ("ink\n  seed: 0x" + "F" * 5000, 3, ("seed cannot be '0xFFF", "give an integer")),
        ("ink\n  seed: " + "9" * 5000, 3, ("seed cannot be '999", "give an integer")),
    ],
)
def test_what_the_parser_refuses_is_told_with_its_remedy(
    tmp_path: Path, prompt: str, line: int, remedies: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_preset(preset(tmp_path, prompt))
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'a.yaml'}:{line}: ")
    for words in remedies:
        assert words in message
    assert not any(jargon in message for jargon in ("<block", "token", "mapping values", "scalar", "None"))


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("1984", "1984"),
        ("no", "no"),
        ("Off", "Off"),
        ("null", "null"),
        ("12:30", "12:30"),
        ("1:02:03", "1:02:03"),
        ("0x1F", "0x1F"),
        ("010", "010"),
        ("1e3", "1e3"),
        ("3.50", "3.50"),
        ("2024-01-31", "2024-01-31"),
        ("2024-13-45", "2024-13-45"),
        (".inf", ".inf"),
        ("1_000", "1_000"),
        ("9" * 60, "9" * 60),
        ("C# minor; kick#4", "C# minor; kick#4"),
        ("a, b & c: d", None),
        ('"\\ud83e\\ude81 kite"', "\U0001fa81 kite"),
        ('"\\uD834\\uDD1E clef \\ud83c\\udfa8"', "\U0001d11e clef \U0001f3a8"),
        ('"\\ud83e kite"', "\ufffd kite"),
        ("\U0001fa81 kite", "\U0001fa81 kite"),
    ],
)
def test_a_text_is_taken_as_it_is_written(tmp_path: Path, prompt: str, text: str | None) -> None:
    path = preset(tmp_path, prompt)
    if text is None:
        with pytest.raises(ConfigError, match=QUOTES):
            load_preset(path)
        return
    assert load_preset(path).values["prompt"] == text
    path.write_text(f"name: {prompt}\ndescription: {prompt}\nparams: {{prompt/2/text: {prompt}, seed: 1}}\n", encoding="utf-8")
    read = load_preset(path)
    assert (read.name, read.description) == (text, text)
    timeline = path.with_name("t.yaml")
    timeline.write_text(f"events:\n- at: 0\n  marker: {prompt}\n  set:\n    cue_prompt: {prompt}\n", encoding="utf-8")
    event = load_timeline(timeline).events[0]
    assert (event.marker, event.values) == (text, {"cue_prompt": text})
    assert load_config(path=None, overrides=[f"params.prompt={text}"]).params.prompt == text
    show = path.with_name("show.yaml")
    show.write_text(f"params:\n  prompt: {prompt}\n", encoding="utf-8")
    assert load_config(show).params.prompt == text
    assert load_config(show, ["params.prompt=7"]).params.prompt == "7"


@pytest.mark.parametrize("prompt", ["neon #ff00ff tubes", "the #1 stage"])
def test_a_comment_within_a_text_is_warned_of(tmp_path: Path, prompt: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        values = load_preset(preset(tmp_path, prompt)).values
    assert values["prompt"] == prompt.split("#")[0].strip()
    assert caplog.messages == [
        f"{tmp_path / 'a.yaml'}:2: prompt ends before the #, which begins a comment; put the text in quotes to keep it"
    ]


def test_a_comment_within_a_name_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("name: the #1 set\ndescription: a set\nevents:\n- {at: 0, marker: drop}\n- at: 1\n  marker: verse #2\n")
    with caplog.at_level(logging.WARNING):
        assert load_timeline(path).markers == {"drop": 0.0, "verse": 1.0}
    ends = "ends before the #, which begins a comment; put the text in quotes to keep it"
    assert caplog.messages == [f"{path}:1: name {ends}", f"{path}:6: marker {ends}"]


@pytest.mark.parametrize(
    "name", ["\u2764\ufe0f\u200d\U0001f525", "Blau\u00a0Rot", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\U0001faea"]
)
def test_names_may_have_joined_letters_and_emoji(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"name: {name}\nparams: {{seed: 1}}\n", encoding="utf-8")
    assert load_preset(path).name == name
    path.write_text(f"events:\n- {{at: 0, marker: {name}}}\n", encoding="utf-8")
    assert load_timeline(path).markers == {name: 0.0}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"version": ' + "9" * 5000 + "}", "a number of 5000 digits; at most 99 are read"),
    ],
)
def test_json_beyond_all_bounds_is_refused_in_our_words(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=reason):
        load_timeline(path)


@pytest.mark.parametrize("line", ["prompt: 'neon #f0f'", 'prompt: "neon" # a comment', "noise_scale: 0.5 # more", "prompt: C#"])
def test_other_comments_are_not(tmp_path: Path, line: str, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"params:\n  {line}\n")
    with caplog.at_level(logging.WARNING):
        load_preset(path)
    assert caplog.messages == []


def test_a_comma_within_braces_ends_a_text(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("events:\n- {at: 0, set: {prompt: ink, wash}}\n")
    with pytest.raises(ConfigError, match=r"t.yaml:2: there is no parameter 'wash'.*; a text with a comma in it needs quotes"):
        load_timeline(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [("010", 10), ("0x10", 16), ("-3", -3), ("1_000", 1000), ("1.5", 1.5), ("-.5", -0.5), ("1.5e3", 1500.0), ("true", True)],
)
def test_numbers_are_read_as_they_look(text: str, value: object) -> None:
    assert parse_yaml(f"a: {text}", Path("x.yaml")).data == {"a": value}


NEON = "params:\n  prompt: |-\n    neon rain,\n    at night\n  noise_scale: {}\n"


def as_notepad(path: Path, text: str) -> Path:
    """A file as Windows' Notepad saves it: with a mark of its byte order, and two characters at each line's end."""
    path.write_text(text, encoding="utf-8-sig", newline="\r\n")
    return path


def test_what_notepad_saves_is_read_as_it_was_meant(tmp_path: Path) -> None:
    assert load_preset(as_notepad(tmp_path / "a.yaml", NEON.format(0.5))).values == {
        "prompt": "neon rain,\nat night",
        "noise_scale": 0.5,
    }
    with pytest.raises(ConfigError, match=r"b\.yaml:5: noise_scale"):
        load_preset(as_notepad(tmp_path / "b.yaml", NEON.format("loud")))
    timeline = load_timeline(as_notepad(tmp_path / "c.yaml", "events:\n- at: 0:01\n  set:\n    prompt: Füchse\n"))
    assert timeline.events[0].values == {"prompt": "Füchse"}
    assert load_config(as_notepad(tmp_path / "d.yaml", "osc:\n  port: 9100\n")).osc.port == 9100
