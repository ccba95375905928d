"""What one sender may ask for, how much of it may wait, and that no other sender waits for it. A loop that is stepped by hand."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pythonosc.osc_message import OscMessage

from sdv2_live.control.names import TABLE
from sdv2_live.control.osc.dispatch import ACTION_WORK, MAX_WORK
from sdv2_live.control.osc.fair_queue import MAX_BYTES, Turn
from sdv2_live.control.osc.packet import encode
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.osc.subscriber import Peer
from sdv2_live.control.store import ParamStore
from sdv2_live.system.clock import monotonic_ns


def bundle(*messages: bytes, at: float = 0.0) -> bytes:
    tag = int((at + 2_208_988_800) * 2**32) if at else 1
    return b"#bundle\0" + struct.pack(">Q", tag) + b"".join(struct.pack(">i", len(one)) + one for one in messages)


class Loop:
    """Runs what is to run soon when told to, and what is to run later when its time is said to have come."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []
        self.later: list[Callable[[], None]] = []

    def call_soon(self, function: Callable[..., None], *args: Any) -> object:
        self.soon.append(lambda: function(*args))
        return self

    def call_later(self, delay: float, function: Callable[..., None], *args: Any) -> object:
        self.later.append(lambda: function(*args))
        return self

    def run(self) -> None:
        while self.soon:
            self.soon.pop(0)()

    def fall_due(self) -> None:
        due, self.later = self.later, []
        for one in due:
            one()


class Bench:
    """The input of a server that does not listen, and what it answers."""

    def __init__(self, server: OscServer) -> None:
        self.counters = server.counters
        self.loop = Loop()
        self.input = server._input
        self.input.begin(self.loop, None)  # type: ignore[arg-type]
        self.answers: dict[int, list[tuple[Any, ...]]] = {}

    def send(self, *packets: bytes, port: int = 1, host: str = "127.0.0.1") -> list[bool]:
        def heard(data: bytes) -> None:
            answer = OscMessage(data)
            self.answers.setdefault(port, []).append((answer.address, *answer.params))

        return [self.input.add(packet, Peer(host, port, heard)) for packet in packets]


@pytest.fixture
def bench_of(store: ParamStore) -> Iterator[Callable[..., Bench]]:
    servers: list[OscServer] = []

    def make(**options: Any) -> Bench:
        servers.append(OscServer(store, port=0, **options))
        return Bench(servers[-1])

    yield make
    for server in servers:
        assert server.counters.failures == 0
        server.close()


@pytest.fixture
def bench(bench_of: Callable[..., Bench]) -> Bench:
    return bench_of()


def test_a_packet_of_too_many_messages_is_cut_off_counted_and_told(store: ParamStore, bench: Bench) -> None:
    bench.send(bundle(*(encode("/sdv2/seed", step) for step in range(MAX_WORK + 100))))
    bench.loop.run()
    assert store.latest().seed == MAX_WORK - 1
    assert (bench.counters.messages, bench.counters.flooded) == (MAX_WORK, 100)
    assert bench.answers[1] == [
        ("/sdv2/error", "", "a packet may ask for 200 changes; its last 100 messages were not read, send them in several")
    ]


@pytest.mark.parametrize(
    ("address", "worth"),
    [
        ("/sdv2/prompt/*/weight", 8 + 10),
        ("/sdv2/*/*/*", sum(name.count("/") == 2 for name in TABLE) + 5),
        ("/sdv2/preset/reload", 1 + ACTION_WORK),
        ("/sdv2/" + "{,x}" * 20, 43),
    ],
)
def test_a_packet_is_charged_for_what_its_messages_ask_for(address: str, worth: int, bench_of: Callable[..., Bench]) -> None:
    done: list[Any] = []
    bench = bench_of(actions={"preset/reload": done.append})
    bench.send(bundle(*[encode(address, 0.5)] * 150))
    bench.loop.run()
    assert bench.counters.messages == -(-MAX_WORK // worth)
    assert bench.counters.messages + bench.counters.flooded == 150
    assert len(done) == (bench.counters.messages if "preset" in address else 0)


LONG_WORK = {
    "bundles without a time tag": bundle(*[b"#bundle\0"] * 5000),
    "bundles whose elements do not fit": bundle(*[bundle() + b"x"] * 2500),
    "empty bundles": bundle(*[bundle()] * 3000),
    "messages that are not OSC": bundle(*[b"/a\0\0b\0\0\0"] * 5000),
    "a bundle of the future for each message": bundle(*[bundle(encode("/sdv2/mix", 0.5), at=time.time() + 30)] * 400),
    "many arguments": bundle(*[encode("/sdv2/steps", *range(900, 100, -1))] * 15),
    "arguments without bytes": bundle(*[b"/sdv2/mix\0\0\0," + b"T" * 2047 + b"\0" * 4] * 30),
}


@pytest.mark.parametrize("packet", LONG_WORK.values(), ids=LONG_WORK)
def test_whatever_a_packet_is_full_of_it_is_worth_what_it_takes_to_read(packet: bytes, bench: Bench) -> None:
    work = bench.input.read(Turn(Peer("127.0.0.1", 1, lambda data: None), packet, monotonic_ns()))
    assert 100 <= work <= 2 * MAX_WORK
    assert bench.counters.malformed <= MAX_WORK


def test_parts_that_are_not_osc_count_towards_the_rate(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of(max_rate=1)
    bench.send(*[bundle(*[b"#bundle\0"] * 25)] * 4)
    bench.loop.run()
    assert bench.counters.malformed == 25
    assert bench.counters.flooded == 3


def test_messages_count_towards_the_rate_not_packets(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of(max_rate=10)
    bench.send(*[bundle(*[encode("/sdv2/cue_prompt", "x")] * 25)] * 4)
    bench.loop.run()
    assert 10 <= bench.counters.messages <= 20  # 10 at once, and what a slow machine's second adds
    assert bench.counters.flooded >= 5
    bench.send(encode("/sdv2/seed", 7), port=2)
    bench.loop.run()
    assert bench.input.queues["osc"].length == 0


def test_errors_of_one_sender_leave_another_its_answer(bench: Bench) -> None:
    bench.send(*[encode("/sdv2/nothing", 1)] * 400)
    bench.send(encode("/sdv2/nothing", 1), port=2)
    bench.loop.run()
    assert len(bench.answers[1]) < 100
    assert bench.answers[2][0][:2] == ("/sdv2/error", "/sdv2/nothing")


def test_a_fader_is_applied_beside_bundles_of_patterns(store: ParamStore, bench: Bench) -> None:
    origins: list[str] = []
    store.add_listener(lambda change: origins.append(change.origin))
    big = bundle(*[encode("/sdv2/{lora,prompt}/*/{scale,weight}", 0.5)] * 500)
    assert True in bench.send(*[big] * 100)
    assert bench.counters.flooded == 0  # that is for who offers it to say
    bench.send(encode("/sdv2/mix", 0.25), port=2)
    bench.loop.run()
    assert origins.index("osc 127.0.0.1:2") <= 1
    assert store.latest().mix == 0.25


def test_what_waits_for_its_time_is_bounded_in_bytes_for_each_sender(store: ParamStore, bench: Bench) -> None:
    ahead = time.time() + 30
    big = bundle(*[encode("/sdv2/prompt", "x" * 120)] * 200, at=ahead)
    for _ in range(40):
        bench.send(big)
        bench.loop.run()
    assert 0 < bench.input.queues["osc_ahead"].length <= MAX_BYTES
    assert bench.counters.scheduled + bench.counters.refused // 200 == 40
    why = "the bundle's time tag has not come, and as much of this sender waits already as may wait"
    assert bench.answers[1][-1] == ("/sdv2/error", "/sdv2/prompt", why)
    bench.send(bundle(encode("/sdv2/mix", 0.5), at=ahead), port=2)
    bench.loop.run()
    assert 2 not in bench.answers

    origins: list[str] = []
    store.add_listener(lambda change: origins.append(change.origin))
    bench.loop.fall_due()
    bench.send(encode("/sdv2/noise_scale", 0.25), port=3)
    bench.loop.run()
    assert max(map(origins.index, ("osc 127.0.0.1:2", "osc 127.0.0.1:3"))) <= 2
    assert (store.latest().mix, store.latest().noise_scale) == (0.5, 0.25)
    assert bench.input.queues["osc_ahead"].length == 0


def test_a_sender_whose_clock_is_ahead_is_told(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(20):
        bench.send(bundle(encode("/sdv2/mix", 0.5), at=time.time() + 20), port=1)
        bench.send(bundle(encode("/sdv2/mix", 0.5), at=time.time() + 0.2), port=2)
    bench.send(bundle(encode("/sdv2/mix", 0.5), at=time.time() + 20), port=3)  # a cue of the future
    bench.loop.run()
    assert bench.answers.keys() == {1}
    ((kind, address, hint),) = bench.answers[1]
    assert (kind, address) == ("/sdv2/warning", "/sdv2/mix")
    assert hint.startswith("the time tags of your bundles are ")
    assert hint.endswith(" s ahead, and so long they wait; compare the clocks")
    assert hint in caplog.text


@pytest.mark.parametrize("address", ["/sdv2/nothing", "/foo/bar", "/sdv2/noise_scal"])
def test_an_unknown_address_that_comes_again_and_again_is_logged_once(
    address: str, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(500):
        bench.send(encode(address, 0.5))
    bench.loop.run()
    assert [address in record.getMessage() for record in caplog.records] == [True]


def test_dmx_channels_of_qlc_are_one_line_that_says_what_they_are(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.send(*(encode(f"/{universe}/dmx/{channel}", 0.5) for channel in range(512) for universe in (0, 1)))
    bench.loop.run()
    assert len(caplog.records) == 1
    assert "QLC+ sends the DMX channels of a universe so, which play nothing here" in caplog.text
    assert bench.answers[1][0][1] == "/0/dmx/0"


def test_arrays_within_arrays_cost_only_their_own_message(store: ParamStore, bench: Bench) -> None:
    deep = b"/sdv2/seed\0\0," + b"[" * 1000 + b"]" * 1000 + b"\0" * 3
    bench.send(bundle(encode("/sdv2/mix", 0.25), deep, encode("/sdv2/noise_scale", 0.125)))
    bench.loop.run()
    assert (store.latest().mix, store.latest().noise_scale) == (0.25, 0.125)
    assert bench.answers[1] == [("/sdv2/error", "/sdv2/seed", "arrays within more than 8 others are not taken")]
