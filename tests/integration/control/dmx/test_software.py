"""Light desks that people use, on a machine of their own at the end of a cable: QLC+ 4 and OLA."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.desk_software import Ola, QlcPlus, ola, qlcplus
from support.light_desks import light_desks
from support.machines import Machine, machine
from support.places import ROOT
from support.waiting import eventually

from sdv2_live.control.store import ParamStore
from sdv2_live.music.dmx.chart import Kind, Mode, layout

QLC_KINDS = {
    Kind.FADER: "9",
    Kind.NUMBER: "9",
    Kind.BANDS: "3",
    Kind.SWITCH: "10",
    Kind.BUTTON: "10",
}  # effect, speed, maintenance


@pytest.fixture(scope="module")
def desk() -> Iterator[Machine]:
    with machine() as one:
        yield one


@pytest.fixture(scope="module")
def qlc(desk: Machine) -> Iterator[QlcPlus]:
    with qlcplus(desk, ROOT / "examples" / "qlcplus" / "sdv2-live.qxf") as program:
        yield program


@pytest.fixture(scope="module")
def other_desk() -> Iterator[Machine]:
    """A machine without QLC+, which would send beside OLA, as one desk with it."""
    with machine(1) as one:
        yield one


@pytest.fixture(scope="module")
def olad(other_desk: Machine) -> Iterator[Ola]:
    with ola(other_desk) as program:
        yield program


def test_qlc_knows_the_fixture(qlc: QlcPlus) -> None:
    modes: tuple[tuple[int, Mode], ...] = ((1, "16bit"), (2, "8bit"))
    for universe, mode in modes:
        channels = layout(mode).channels
        assert qlc.kinds(universe, len(channels) + 1) == [QLC_KINDS[channel.function.kind] for channel in channels] + [""]


def test_qlc_finds_the_show_and_plays_it_by_artnet(qlc: QlcPlus, desk: Machine, store: ParamStore) -> None:
    with light_desks(store, desk.here, protocol="artnet", mode="16bit") as desks:
        eventually("it to be found by QLC+", lambda: '"sdv2-live"' in qlc.log)
        eventually("its first levels", lambda: desks.counters.packets)
        for channel, level in ((3, 255), (4, 255), (1, 128), (9, 255)):
            qlc.send(channel, level)
        eventually("the faders", lambda: (store.latest().noise_scale, store.latest().mix) == (round(0x8000 / 0xFFFF, 6), 1.0))
        eventually("the switch", lambda: store.latest().blackout)
        assert (desks.counters.malformed, desks.counters.flooded, desks.counters.out_of_order) == (0, 0, 0)


def test_qlc_plays_it_by_sacn(qlc: QlcPlus, desk: Machine, store: ParamStore) -> None:
    with light_desks(store, desk.here, protocol="sacn", sacn_universe=2) as desks:
        eventually("its first levels", lambda: desks.counters.packets)
        for channel, level in ((1, 51), (2, 102), (5, 200)):
            qlc.send(512 + channel, level)
        eventually("all", lambda: (store.latest().noise_scale, store.latest().mix, store.latest().freeze) == (0.2, 0.4, True))
        assert f"Q Light Controller Plus - E1.31 at {desk.there} (sACN 2)" in desks.now().words
        assert (desks.counters.malformed, desks.counters.flooded, desks.counters.out_of_order) == (0, 0, 0)


@pytest.mark.parametrize(("protocol", "universe"), [("artnet", 0), ("sacn", 7)])
def test_ola_plays_it(olad: Ola, other_desk: Machine, store: ParamStore, protocol: str, universe: int) -> None:
    """It sends packets with as many levels as it was given, each once, and Art-Net only to who has told of the universe."""
    with light_desks(store, other_desk.here, protocol=protocol, sacn_universe=7) as desks:

        def heard() -> bool:
            olad.send(universe, 0, 0, 0)
            return desks.counters.packets > 0

        eventually("its first levels", heard)
        olad.send(universe, 51, 102, 0)
        eventually("the faders", lambda: (store.latest().noise_scale, store.latest().mix) == (0.2, 0.4))
        olad.send(universe, 51, 255)
        eventually("the mix", lambda: store.latest().mix == 1.0)
        assert (desks.counters.malformed, desks.counters.out_of_order) == (0, 0)


def test_ola_plays_again_after_it_had_nothing_to_say(olad: Ola, other_desk: Machine, store: ParamStore) -> None:
    with light_desks(store, other_desk.here, protocol="sacn", sacn_universe=7) as desks:
        for level in (0, 51):
            olad.send(7, level, 0)
        eventually("the noise", lambda: store.latest().noise_scale == 0.2)
        eventually("its silence", lambda: desks.counters.lost)
        olad.send(7, 255, 0)
        eventually("the noise again", lambda: store.latest().noise_scale == 1.0)
