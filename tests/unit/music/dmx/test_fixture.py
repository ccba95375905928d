"""What desks play: priorities, newest change, sequence, loss, settling, edges; all by times given."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.dmx import artnet as artnet_packet
from support.dmx import sacn as sacn_packet

from sdv2_live.music.dmx import artnet, sacn
from sdv2_live.music.dmx.chart import CHART, Mode, layout
from sdv2_live.music.dmx.fixture import Fixture
from sdv2_live.music.dmx.merge import DmxCounters
from sdv2_live.music.dmx.packets import Levels

MS = 1_000_000
PLACE = {function.name: place for place, function in enumerate(CHART)}
WIDTH = len(layout("8bit"))


class Stage:
    """A fixture and its desks; each packet comes 20 ms after the one before."""

    def __init__(self, mode: Mode = "8bit", first: int = 1, *, always: bool = False) -> None:
        self.fixture = Fixture(layout(mode), first, always=always, counters=DmxCounters())
        self.now_ns = 0
        self.numbers: dict[str, int] = {}

    def say(
        self, who: str, *, priority: int = 100, options: int = 0, levels: bytes | None = None, **named: int
    ) -> dict[str, Any]:
        sent = bytearray(WIDTH)
        for name, level in named.items():
            sent[PLACE[name.replace("__", "/")]] = level
        number = self.numbers[who] = self.numbers.get(who, 0) + 1
        packet = sacn_packet(
            bytes(sent) if levels is None else levels,
            sequence=number,
            priority=priority,
            cid=who.encode().ljust(16),
            options=options,
        )
        said = sacn.read(packet)
        assert said is not None
        return self.take(said, who)

    def take(self, said: Levels, host: str) -> dict[str, Any]:
        self.now_ns += 20 * MS
        return {name: value for played in self.fixture.take(said, host, self.now_ns) for name, value in played.values.items()}

    def wait(self, ms: int) -> dict[str, Any]:
        self.now_ns += ms * MS
        return {name: value for played in self.fixture.due(self.now_ns) for name, value in played.values.items()}

    def silent(self, ms: int) -> tuple[list[str], dict[str, Any]]:
        self.now_ns += ms * MS
        gone = list(self.fixture.gone(self.now_ns))
        return [desk.host for desk, _ in gone], {k: v for _, played in gone for one in played for k, v in one.values.items()}


def test_only_changes_are_played() -> None:
    stage = Stage()
    assert stage.say("A", noise_scale=51, freeze=255) == {}, "the first levels are where the desk stands"
    assert stage.say("A", noise_scale=51, freeze=255) == {}
    assert stage.say("A", noise_scale=102, freeze=255) == {"noise_scale": 0.4}
    assert stage.say("A", noise_scale=102, freeze=200) == {}, "still on"
    assert stage.say("A", noise_scale=102, freeze=127) == {"freeze": False}


def test_the_whole_look_where_that_is_asked_for() -> None:
    stage = Stage(always=True)
    played = stage.say("A", noise_scale=255, blackout=255, reset=255, morph_seconds=20)
    assert played == {
        "noise_scale": 1.0, "mix": 0.0, "morph_seconds": 2.0, "freeze": False, "bypass": False, "blackout": True,
        "tempo/quantise": "none", "mod/1/depth": 0.0, "mod/2/depth": 0.0,
    }  # fmt: skip
    assert "reset" not in played, "a button that is found down was not pressed"


def test_a_button_acts_once_as_it_goes_down() -> None:
    stage = Stage()
    stage.say("A")
    assert stage.say("A", reset=127) == {}
    assert stage.say("A", reset=128) == {"reset": True}
    assert stage.say("A", reset=255) == {}
    assert stage.say("A") == {}
    assert stage.say("A", reset=255) == {"reset": True}


def test_a_preset_is_recalled_when_its_number_stands() -> None:
    stage = Stage()
    stage.say("A")
    for number in range(1, 8):
        assert stage.say("A", preset=number) == {}
        assert stage.wait(0) == {}
    assert stage.wait(59) == {}
    assert stage.wait(1) == {"preset": 7}
    assert stage.wait(500) == {}, "once"
    stage.say("A", preset=8)
    stage.say("A", preset=7)
    assert stage.wait(60) == {}, "it has only passed by 8"
    stage.say("A")
    assert stage.wait(60) == {}, "0 is no preset"
    stage.say("A", preset=7)
    assert stage.wait(60) == {"preset": 7}, "and makes the same one new"


def test_the_highest_priority_counts() -> None:
    stage = Stage()
    stage.say("low", priority=50)
    stage.say("high", priority=150)
    assert stage.say("low", priority=50, mix=255) == {}
    assert stage.say("high", priority=150, mix=51) == {"mix": 0.2}
    assert stage.say("high", priority=0, mix=51) == {}, "a change of priority is no change of a level"
    assert stage.say("low", priority=50, mix=0) == {"mix": 0.0}, "now it is the highest"


def test_among_equals_the_newest_change_counts_channel_by_channel() -> None:
    stage = Stage()
    stage.say("A")
    stage.say("B", mix=255, noise_scale=255)
    assert stage.say("A", mix=51) == {"mix": 0.2}
    assert stage.say("B", mix=255, noise_scale=0) == {"noise_scale": 0.0}
    assert stage.say("A", mix=51) == {}, "what A repeats does not undo it"


def test_a_fifth_desk_is_not_heard() -> None:
    stage = Stage()
    for who in "ABCD":
        stage.say(who)
    stage.say("E")
    assert stage.say("E", mix=255) == {}
    assert stage.fixture.counters.crowded == 2
    assert stage.say("D", mix=255) == {"mix": 1.0}
    stage.silent(2500)
    stage.say("E")
    assert stage.say("E", mix=51) == {"mix": 0.2}, "there is room again"


def test_the_last_look_is_held() -> None:
    stage = Stage()
    stage.say("A", mix=51)
    assert stage.silent(2479) == ([], {})
    assert stage.silent(21) == (["A"], {})
    assert stage.silent(10_000) == ([], {}), "said once"
    stage.numbers["A"] += 100  # it was cut off
    assert stage.say("A", mix=255) == {}, "where it stands when it comes back"
    assert stage.say("A", mix=0) == {"mix": 0.0}


@pytest.mark.parametrize("always", [False, True])
def test_a_desk_that_speaks_only_of_changes_is_played(always: bool) -> None:
    """OLA repeats nothing."""
    stage = Stage(always=always)
    stage.say("A", mix=51)
    for mix in (255, 0):
        assert stage.silent(60_000) == (["A"], {})
        assert stage.say("A", mix=mix)["mix"] == mix / 255
    assert stage.fixture.counters.lost == 2


def test_a_desk_that_ended_and_began_anew_says_where_it_stands() -> None:
    stage = Stage()
    stage.say("A", mix=51)
    stage.say("A", options=0x40)
    stage.silent(0)
    assert stage.say("A", mix=255) == {}


def test_artnet_is_missed_after_ten_seconds() -> None:
    stage = Stage()
    said = artnet.read(artnet_packet(bytes(WIDTH)))
    assert isinstance(said, Levels)
    stage.take(said, "10.0.0.7")
    assert stage.silent(9979) == ([], {})
    assert stage.silent(21) == (["10.0.0.7"], {})


def test_a_desk_that_ends_its_stream_is_gone_at_once() -> None:
    stage = Stage()
    stage.say("A", mix=51)
    stage.say("A", options=0x40)
    assert stage.fixture.desks[0].ended
    assert stage.silent(0) == (["A"], {})


@pytest.mark.parametrize("always", [False, True])
def test_a_backup_desk_takes_over_when_the_main_one_goes(always: bool) -> None:
    stage = Stage(always=always)
    stage.say("backup", priority=90, mix=255)
    stage.say("main", priority=110, mix=51)
    stage.say("main", priority=110, mix=51, options=0x40)
    gone, played = stage.silent(1)
    assert gone == ["main"]
    assert played.get("mix") == (1.0 if always else None)
    assert stage.say("backup", priority=90, mix=0) == {"mix": 0.0}


@given(st.integers(0, 255), st.integers(-128, 127))
def test_overtaken_packets_are_left_out(last: int, step: int) -> None:
    stage = Stage()
    for number, mix in ((last - 1, 0), (last, 0), (last + step, 255)):
        said = sacn.read(sacn_packet(bytes([0, mix]), sequence=number))
        assert said is not None
        played = stage.take(said, "A")
    assert played == ({} if -20 < step <= 0 else {"mix": 1.0})
    assert stage.fixture.counters.out_of_order == (-20 < step <= 0)


def test_artnet_without_numbers_is_never_overtaken() -> None:
    stage = Stage()
    for mix in (0, 51, 0, 51):
        said = artnet.read(artnet_packet(bytes([0, mix]), sequence=0))
        assert isinstance(said, Levels)
        played = stage.take(said, "A")
    assert played == {"mix": 0.2}


def test_what_a_short_packet_leaves_out_stays() -> None:
    stage = Stage()
    stage.say("A", freeze=255, mix=51)
    assert stage.say("A", levels=b"\x66") == {"noise_scale": 0.4}
    assert stage.say("A", freeze=255, mix=51, noise_scale=102) == {}


def test_channels_begin_at_the_address() -> None:
    stage = Stage(first=505)
    for mix in (0, 255):
        levels = bytearray(512)
        levels[505] = mix
        levels[0:20] = bytes([mix]) * 20
        played = stage.say("A", levels=bytes(levels))
    assert played == {"mix": 1.0}, "what would lie beyond the universe is never heard"


def test_both_halves_come_from_one_packet() -> None:
    stage = Stage("16bit")
    stage.say("A", levels=bytes([0x80, 0x00]))
    stage.say("B", levels=bytes([0x10, 0xFF]))
    assert stage.say("A", levels=bytes([0x80, 0x01])) == {"noise_scale": round(0x8001 / 65535, 6)}
    assert stage.say("A", levels=bytes([0x81])) == {"noise_scale": round(0x8101 / 65535, 6)}


@given(
    st.lists(st.tuples(st.sampled_from("ABCDEF"), st.binary(max_size=20), st.integers(0, 200), st.integers(0, 3000)), max_size=40)
)
def test_whatever_desks_say_values_stay_in_range_and_desks_few(said: list[tuple[str, bytes, int, int]]) -> None:
    stage = Stage(always=True)
    for who, levels, priority, ms in said:
        played = stage.say(who, levels=levels, priority=priority) if levels else {}
        gone, inherited = stage.silent(ms)
        assert len(stage.fixture.desks) <= 4
        for name, value in {**played, **inherited, **stage.wait(0)}.items():
            function = CHART[PLACE[name]]
            assert (
                isinstance(value, bool)
                or value in function.choices
                or 0 <= value <= max(function.high, 255 if name == "preset" else 1)
            )
        assert len(gone) <= 4
