"""What is said where the sound libraries are missing or cannot run, and which input a name means."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import pytest

from sdv2_live.config.schema import Config
from sdv2_live.config.schema_music import AudioConfig
from sdv2_live.doctor.probe import Status
from sdv2_live.doctor.sound import look_sound
from sdv2_live.errors import SoundError
from sdv2_live.io.sound import lib
from sdv2_live.io.sound.lib import SoundInput, load_portaudio, load_soundcard, match_input

CARDS = [
    SoundInput("card", "HDA Intel", 0, 2, 48_000, False),
    SoundInput("card", "Scarlett 2i2 USB", 1, 2, 44_100, True),
    SoundInput("card", "Scarlett", 2, 18, 96_000, False),
]


@pytest.mark.parametrize(
    ("pattern", "name"),
    [("", "Scarlett 2i2 USB"), ("Scarlett", "Scarlett"), ("2i2", "Scarlett 2i2 USB"), ("hda", "HDA Intel"), ("nothing", None)],
)
def test_a_name_means_one_input(pattern: str, name: str | None) -> None:
    found = match_input(pattern, CARDS)
    assert (found.name if found else None) == name


def test_without_a_default_the_first_is_taken() -> None:
    assert match_input("", CARDS[:1]) == CARDS[0]
    assert match_input("", []) is None


@pytest.mark.parametrize(("load", "module"), [(load_portaudio, "sounddevice"), (load_soundcard, "soundcard")])
def test_a_missing_package_is_told_with_its_remedy(load: Any, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SoundError, match=rf"the package {module} is missing .*pip install 'sdv2-live\[audio\]'"):
        load()


@pytest.mark.parametrize(
    ("load", "raised", "words"),
    [
        (load_portaudio, OSError("PortAudio library not found"), "PortAudio library not found; install PortAudio with `"),
        (load_soundcard, AssertionError(), "no sound server answers; start PulseAudio or PipeWire"),
        (load_soundcard, OSError("libpulse.so"), r"no sound server answers \(libpulse.so\)"),
    ],
)
def test_a_library_that_cannot_run_is_told(load: Any, raised: Exception, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> Any:
        raise raised

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(SoundError, match=words):
        load()


@pytest.mark.parametrize(
    ("source", "status", "words"),
    [
        ("ndi", Status.OK, "card:Scarlett 2i2 USB"),
        ("card:2i2", Status.OK, "card:Scarlett 2i2 USB"),
        ("card:Motu", Status.FAIL, "there is no 'Motu' to listen to"),
        ("loopback", Status.FAIL, "no server"),
        ("auto", Status.OK, "card:"),
    ],
)
def test_the_doctor_says_what_it_finds(source: str, status: Status, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_server() -> list[SoundInput]:
        raise SoundError("no server")

    monkeypatch.setattr("sdv2_live.doctor.sound.list_cards", lambda: CARDS)
    monkeypatch.setattr("sdv2_live.doctor.sound.list_loopbacks", no_server)
    (check,) = look_sound(Config(audio=AudioConfig(source=source)))
    assert check.status is status
    assert words in check.detail
    assert bool(check.remedy) == (status is not Status.OK)


@pytest.mark.parametrize(
    ("source", "card"),
    [("off", None), ("ndi", None), ("auto", ("card", "")), ("card", ("card", "")), ("loopback:A: B", ("loopback", "A: B"))],
)
def test_the_sources_that_a_configuration_names(source: str, card: tuple[str, str] | None) -> None:
    assert AudioConfig(source=source).card == card


def test_the_words_for_a_use_are_read_back() -> None:
    assert AudioConfig(source=CARDS[1].use).card == ("card", CARDS[1].name)
    assert lib.SoundInput("loopback", "Monitor of x", "x", 2, 48_000, True).use == "loopback:Monitor of x"
