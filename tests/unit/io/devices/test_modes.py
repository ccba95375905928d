from __future__ import annotations

from fractions import Fraction

import pytest

from sdv2_live.io.devices.modes import Asked, Mode, asked, fitting, listed

THIRTY, SIXTY, TEN = Fraction(30), Fraction(60), Fraction(10)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", Asked("")),
        ("Cam", Asked("Cam")),
        ("2", Asked("2")),
        ("Cam@480x640", Asked("Cam", (480, 640))),
        ("Cam@480x640@29.97", Asked("Cam", (480, 640), Fraction("29.97"))),
        ("Cam@60", Asked("Cam", None, SIXTY)),
        ("@720x1280", Asked("", (720, 1280))),
        ("me@home", Asked("me@home")),
        ("me@home@480x640", Asked("me@home", (480, 640))),
        ("/dev/video2@480x640", Asked("/dev/video2", (480, 640))),
    ],
)
def test_a_mode_stands_after_the_name(text: str, wanted: Asked) -> None:
    assert asked(text) == wanted


MODES = (
    Mode(1080, 1920, THIRTY, "mjpeg", packed=True),
    Mode(1080, 1920, Fraction(5), "yuyv422"),
    Mode(720, 1280, THIRTY, "mjpeg", packed=True),
    Mode(720, 1280, TEN, "yuyv422"),
    Mode(480, 640, THIRTY, "yuyv422"),
    Mode(480, 640, SIXTY, "yuyv422"),
)


def test_the_best_mode_is_fluent_then_large_enough_then_raw() -> None:
    assert fitting(Asked(""), MODES)[0] == MODES[2]
    assert fitting(Asked(""), MODES[3:])[0] == MODES[4]
    assert fitting(Asked(""), [MODES[0], MODES[4]])[0] == MODES[0]
    raw = Mode(720, 1280, THIRTY, "yuyv422")
    assert fitting(Asked(""), [*MODES, raw])[0] == raw


def test_what_was_asked_for_is_given_or_nothing() -> None:
    assert fitting(Asked("", (480, 640)), MODES) == [MODES[4], MODES[5]]
    assert fitting(Asked("", (480, 640), SIXTY), MODES) == [MODES[5]]
    assert fitting(Asked("", None, SIXTY), MODES) == [MODES[5]]
    assert fitting(Asked("", (480, 640), Fraction("59.94")), MODES) == [MODES[5]]
    assert fitting(Asked("", (481, 640)), MODES) == []


def test_modes_in_words_are_the_largest_first_each_size_once() -> None:
    assert listed(MODES) == "1080x1920@30, 720x1280@30, 480x640@60"
    many = [Mode(side, side, THIRTY) for side in range(100, 120)]
    assert listed(many).startswith("119x119@30, ")
    assert listed(many).endswith("112x112@30 and others")
