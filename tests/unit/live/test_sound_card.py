"""A sound card that is not there yet, is pulled out, comes back, or never gives a sound."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from support.fake_card import FakeCard
from support.waiting import eventually

from sdv2_live.io.audio import AudioBlock
from sdv2_live.live.sound_card import Input, SoundCard

SILENT_S = 0.1


@pytest.fixture
def heard() -> list[AudioBlock]:
    return []


@pytest.fixture
def fake() -> FakeCard:
    return FakeCard()


@pytest.fixture
def card(fake: FakeCard, heard: list[AudioBlock]) -> Iterator[SoundCard]:
    with SoundCard("card", fake.open, heard.append, silent_s=SILENT_S) as card:
        yield card


def test_it_is_heard(card: SoundCard, heard: list[AudioBlock]) -> None:
    assert card.status == "opening card"
    card.start()
    eventually("its sound", lambda: heard)
    eventually("it named", lambda: card.status == "card:fake")
    assert card.lost == 0


@pytest.mark.parametrize("crashes", [False, True], ids=["its driver is silent", "its process is gone"])
def test_pulled_out_and_back_it_is_heard_again(
    fake: FakeCard, card: SoundCard, heard: list[AudioBlock], caplog: pytest.LogCaptureFixture, crashes: bool
) -> None:
    caplog.set_level(logging.INFO, "sdv2_live.ears")
    card.start()
    eventually("it named", lambda: card.status == "card:fake")
    fake.crashes, fake.plugged = crashes, False
    eventually("the loss", lambda: card.lost == 1)
    eventually("what is tried", lambda: "there is no sound card input" in card.status)
    heard.clear()
    fake.plugged = True
    eventually("its sound again", lambda: heard and card.status == "card:fake")
    assert fake.opened == 2
    assert caplog.text.count("is gone" if crashes else "gives no sound any more") == 1
    assert caplog.text.count("there is no sound card input") == 1, "said once, however often it is tried"
    assert caplog.text.count("listening to card:fake") == 2


def test_one_that_comes_later_is_found(fake: FakeCard, card: SoundCard, heard: list[AudioBlock]) -> None:
    fake.plugged = False
    card.start()
    eventually("the problem", lambda: "there is no sound card" in card.status)
    assert card.lost == 0
    fake.plugged = True
    eventually("its sound", lambda: heard)


class Mute:
    name = "card:mute"

    def read(self, timeout: float) -> AudioBlock | None:
        return None

    def close(self) -> None:
        pass


def test_one_that_never_gives_a_sound_is_told_once(heard: list[AudioBlock], caplog: pytest.LogCaptureFixture) -> None:
    opened: list[Mute] = []

    def open_mute() -> Input:
        opened.append(Mute())
        return opened[-1]

    with SoundCard("card", open_mute, heard.append, silent_s=0.02) as card:
        card.start()
        eventually("three tries", lambda: len(opened) >= 3)
        assert card.status == "card:mute gives no sound"
        assert card.lost == 0
    assert caplog.text.count("gives no sound") == 1


def test_whatever_a_driver_raises_is_survived(heard: list[AudioBlock], caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Input:
        raise ZeroDivisionError

    with SoundCard("card", broken, heard.append, silent_s=0.02) as card:
        card.start()
        eventually("it tried again", lambda: caplog.text.count("could not be listened to") >= 2)
