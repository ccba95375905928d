"""The tempo by the names of Resolume and AbletonOSC, sent by clients that are not this program's own."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pythonosc.osc_message import OscMessage
from support.waiting import DEADLINE_S

from sdv2_live.config.schema import Config
from sdv2_live.control.osc.foreign import LIVE_PORT, OTHERS, SAME
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.params import PARAMS, Params
from sdv2_live.control.store import ParamStore
from sdv2_live.music.clock import BeatClock
from sdv2_live.show.music import Music

RESOLUME = "/composition/tempocontroller/"


@pytest.fixture
def clock(store: ParamStore) -> Iterator[BeatClock]:
    with Music(Config(), store) as music:
        yield music.clock


def sent(server: OscServer, *arguments: str) -> None:
    """By liblo's oscsend, or where it is missing by python-osc's own client."""
    if shutil.which("oscsend"):
        subprocess.run(["oscsend", "127.0.0.1", str(server.port), *arguments], check=True)
        return
    from pythonosc.udp_client import SimpleUDPClient

    address, types, *values = *arguments, *([""] if len(arguments) == 1 else [])
    read: dict[str, Callable[[str], Any]] = {"f": float, "i": int, "s": str}
    SimpleUDPClient("127.0.0.1", server.port).send_message(
        address, [read[kind](value) for kind, value in zip(types, values, strict=True)]
    )


def test_the_seven_addresses_of_resolume() -> None:
    names = ("tempo", "tempotap", "resync", "tempopush", "tempopull", "tempo/multiply", "tempo/divide")
    assert {RESOLUME + name for name in names} <= {*SAME, *OTHERS}
    assert set(SAME.values()) <= PARAMS.keys()


@pytest.mark.parametrize(
    ("types", "values", "bpm"),
    [
        ("f", ["0.25"], 140.0),
        ("f", ["0"], 20.0),
        ("f", ["1"], 500.0),
        ("i", ["1"], 500.0),
        ("f", ["128.5"], 128.5),
        ("sf", ["a", "0.25"], 140.0),
        ("sf", ["+", "0.125"], 180.0),
        ("sf", ["-", "0.125"], 60.0),
        ("sf", ["+", "2"], 122.0),
        ("sf", ["*", "2"], 240.0),
        ("sf", ["-", "900"], 20.0),
    ],
)
def test_resolumes_tempo_is_a_share_of_20_to_500_or_bpm(
    types: str, values: list[str], bpm: float, server: OscServer, store: ParamStore, wait: Any
) -> None:
    sent(server, RESOLUME + "tempo", types, *values)
    wait(lambda: store.latest().tempo_bpm == pytest.approx(bpm))


def test_resolumes_buttons_act_on_1_and_not_on_0(server: OscServer, store: ParamStore, clock: BeatClock, wait: Any) -> None:
    for factor, name in ((2, "tempo/multiply"), (1, "tempo/divide")):
        sent(server, RESOLUME + name, "f", "1")
        sent(server, RESOLUME + name, "f", "0")
        wait(lambda factor=factor: store.latest().tempo_bpm == 120 * factor)
    for name, faster in (("tempopush", 1.03), ("tempopull", 0.97)):
        sent(server, RESOLUME + name, "i", "1")
        wait(lambda faster=faster: clock.tempo.bpm == pytest.approx(120 * faster))
        sent(server, RESOLUME + name, "i", "0")
        wait(lambda: clock.tempo.bpm == 120)
    taps = clock.counters.taps
    for value in ("1", "0", "1", "0"):
        sent(server, RESOLUME + "tempotap", "f", value)
    wait(lambda: clock.counters.taps == taps + 2)
    before = clock.tempo
    sent(server, RESOLUME + "resync", "i", "0")
    sent(server, RESOLUME + "tempotap", "f", "0")
    sent(server, "/sdv2/seed", "i", "9")
    wait(lambda: store.latest().seed == 9)
    assert clock.tempo == before
    sent(server, RESOLUME + "resync", "i", "1")
    wait(lambda: clock.tempo.b0 == pytest.approx(0, abs=1e-9))


def test_who_asks_resolumes_way_is_told_the_share(store: ParamStore, client: Any) -> None:
    store.set("tempo/bpm", 140, "hand")
    client.send(RESOLUME + "tempo", "?")
    assert client.answer() == (RESOLUME + "tempo", 0.25)


def test_abletonosc_sets_taps_and_asks(server: OscServer, store: ParamStore, clock: BeatClock, client: Any, wait: Any) -> None:
    sent(server, "/live/song/set/tempo", "f", "99.5")
    wait(lambda: store.latest().tempo_bpm == 99.5)
    sent(server, "/live/song/tap_tempo")
    wait(lambda: clock.counters.taps == 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", LIVE_PORT))
        listening.settimeout(DEADLINE_S)
        client.send("/live/song/get/tempo")
        answer = OscMessage(listening.recv(1024))
    assert (answer.address, answer.params) == ("/live/song/get/tempo", [99.5])
    assert client.answer() == ("/live/song/get/tempo", 99.5)


@pytest.mark.parametrize(
    ("address", "args"),
    [
        (RESOLUME + "tempo", ()),
        (RESOLUME + "tempo", ("+",)),
        (RESOLUME + "tempo", ("fast",)),
        (RESOLUME + "tempo", (float("nan"),)),
        (RESOLUME + "tempo", (1e6,)),
        (RESOLUME + "tempo", (-0.5,)),
        (RESOLUME + "tempo", ("*", float("inf"))),
        ("/live/song/set/tempo", (0.0,)),
    ],
)
def test_what_is_no_tempo_is_answered_and_changes_nothing(
    address: str, args: tuple[Any, ...], store: ParamStore, client: Any
) -> None:
    client.send(address, *args)
    assert client.answer()[:2] == ("/sdv2/error", address)
    assert store.latest() == Params()


def test_a_name_that_is_nearly_one_of_theirs_is_hinted_at(client: Any) -> None:
    client.send("/composition/tempocontroller/temptap", 1)
    assert client.answer()[2] == "there is no such address; did you mean '/composition/tempocontroller/tempotap'?"
