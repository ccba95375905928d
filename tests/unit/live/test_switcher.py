"""What is to be seen, over every way from one state of the hand to another, against a rule that knows no past but a freeze."""

from __future__ import annotations

from itertools import product

import pytest
from support.fakes import fake_frame

from sdv2_live.config.choices import Fallback
from sdv2_live.frame import Frame
from sdv2_live.io.pictures import BACKGROUND
from sdv2_live.live.fallback import FallbackMixer
from sdv2_live.live.switcher import OutputMode, Switcher

HANDS = [OutputMode(*keys) for keys in product((False, True), repeat=3)]
SLATE = BACKGROUND[0]


class Rig:
    """A switcher, what came so far, and what the rule says of it. Frames are flat: inputs 1, 2 ..., paintings 101, 102 ..."""

    def __init__(self, instead: Fallback = Fallback.INPUT, *, stopgap: bool = True) -> None:
        self.cover = FallbackMixer(instead, hold_s=0.0, fade_s=0.0)
        self.slate = FallbackMixer(Fallback.SLATE, hold_s=0.0, fade_s=0.0)
        self.switcher, self.stopgap = Switcher(self.cover, self.slate, stopgap=stopgap), stopgap
        self.now, self.inputs, self.paintings = 0, 0, 0
        self.away = self.held = False
        self.last: int | None = None  # seen, or would have been but for a blackout

    def input(self) -> None:
        self.inputs += 1
        self.switcher.input = flat(self.inputs)

    def painting(self) -> None:
        self.paintings += 1
        self.switcher.painting = flat(100 + self.paintings)

    def fail(self, *, away: bool, held: bool) -> None:
        self.away, self.held = away, held
        (self.cover.lost if away else self.cover.back)(self.now)
        (self.slate.lost if held else self.slate.back)(self.now)

    def below(self, hand: OutputMode) -> int | None:
        """What is seen without freeze and blackout."""
        passed = bool(self.inputs) and (hand.bypass or (self.stopgap and not self.paintings))
        if not passed and not self.paintings:
            return None
        if self.held and not (self.away and not passed):
            return SLATE
        if passed:
            return self.inputs
        if self.away and self.cover.instead is not Fallback.HOLD:
            return 0 if self.cover.instead is Fallback.BLACK else self.inputs or 100 + self.paintings
        return 100 + self.paintings

    def expected(self, hand: OutputMode) -> int | None:
        if not hand.freeze or self.last is None:
            self.last = self.below(hand)
        return 0 if hand.blackout and self.last is not None else self.last

    def seen(self, hand: OutputMode) -> int | None:
        self.now += 1_000_000_000
        shot = self.switcher.shot(hand, self.now)
        return None if shot is None else value(shot.picture())


def flat(level: int) -> Frame:
    return fake_frame(level)


def value(frame: Frame) -> int:
    return int(frame.data[0, 0])


@pytest.mark.parametrize("instead", [Fallback.INPUT, Fallback.HOLD, Fallback.BLACK])
@pytest.mark.parametrize("fails", [(False, False), (True, False), (False, True)], ids=["well", "engine away", "input held"])
@pytest.mark.parametrize("comes", ["input", "painting", "nothing", "both"])
def test_every_way_from_one_state_to_another(instead: Fallback, fails: tuple[bool, bool], comes: str) -> None:
    for way in product(HANDS, repeat=3):
        rig = Rig(instead)
        rig.input()
        rig.painting()
        for step, hand in enumerate(way):
            assert rig.seen(hand) == rig.expected(hand), (way, step)
            rig.fail(away=fails[0], held=fails[1])
            if comes in ("painting", "both"):
                rig.painting()
            if comes in ("input", "both"):
                rig.input()
        assert rig.seen(OutputMode()) == rig.expected(OutputMode()), way


@pytest.mark.parametrize("hand", HANDS)
def test_every_start(hand: OutputMode) -> None:
    rig = Rig()
    assert rig.seen(hand) is None
    rig.input()
    assert rig.seen(hand) == (0 if hand.blackout else 1)
    rig.input()
    if not (hand.freeze and hand.bypass):  # frozen, the first picture in bypass; else the input, until there is a painting
        assert rig.seen(hand) == (0 if hand.blackout else 2)
    rig.painting()
    held = 1 if hand.freeze else 2
    assert rig.seen(hand) == (0 if hand.blackout else held if hand.bypass else 101)
    rig.painting()
    assert rig.seen(hand) == (0 if hand.blackout else held if hand.bypass else 101 if hand.freeze else 102)
    assert rig.seen(OutputMode()) == 102


def test_a_freeze_while_the_models_load_holds_the_input_and_no_painting_replaces_it() -> None:
    rig = Rig()
    rig.input()
    assert rig.seen(OutputMode()) == 1
    rig.input()
    rig.painting()
    assert rig.seen(OutputMode(freeze=True)) == 1
    assert rig.seen(OutputMode(freeze=True, bypass=True)) == 1
    assert rig.seen(OutputMode()) == 101


def test_a_recording_begins_with_the_painting_also_in_blackout() -> None:
    rig = Rig(stopgap=False)
    rig.input()
    assert rig.seen(OutputMode(blackout=True)) is None
    rig.painting()
    assert rig.seen(OutputMode(blackout=True)) == 0
    assert rig.seen(OutputMode()) == 101


def test_every_input_frame_is_asked_for_where_it_is_seen() -> None:
    rig = Rig()
    assert rig.switcher.passes(OutputMode())
    rig.painting()
    assert [rig.switcher.passes(hand) for hand in HANDS] == [hand == OutputMode(bypass=True) for hand in HANDS]
