"""The OSC server against independent senders: liblo's oscsend where it is installed, python-osc, and raw bytes."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import time
from typing import Any

import pytest
from pythonosc.osc_bundle_builder import IMMEDIATELY
from pythonosc.osc_message_builder import build_msg
from support.waiting import DEADLINE_S

from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.params import PARAMS, Kind, Params, value_of
from sdv2_live.control.store import Change, ParamStore
from sdv2_live.errors import ConfigError
from sdv2_live.system.clock import monotonic_ns


def message(address: str, *args: Any) -> bytes:
    return bytes(build_msg(address, list(args)).dgram)


def element(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data


def bundle(*elements: bytes) -> bytes:
    return b"#bundle\0" + struct.pack(">Q", 1) + b"".join(elements)


@pytest.mark.parametrize("name", [name for name, spec in PARAMS.items() if spec.kept])
def test_every_parameter_has_an_address(name: str, store: ParamStore, client: Any, wait: Any) -> None:
    values = {
        Kind.TEXT: "ink",
        Kind.NAME: "ink",
        Kind.INT: 3,
        Kind.FLOAT: struct.unpack("f", struct.pack("f", (PARAMS[name].low or 0) + 0.5))[0],  # as OSC carries it
        Kind.BOOL: not PARAMS[name].default,
        Kind.CHOICE: PARAMS[name].choices[-1:],
        Kind.STEPS: (600, 400),
    }
    value = values[PARAMS[name].kind]
    client.send(f"/sdv2/{name}", *(value if isinstance(value, tuple) else (value,)))
    expected = value[0] if PARAMS[name].kind is Kind.CHOICE else value
    wait(lambda: value_of(store.latest(), PARAMS[name]) == expected)


@pytest.mark.skipif(not shutil.which("oscsend"), reason="liblo's oscsend is not installed")
@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        (["/sdv2/noise_scale", "f", "0.25"], "noise_scale", 0.25),
        (["/sdv2/noise_scale", "d", "0.3"], "noise_scale", 0.3),
        (["/sdv2/noise_scale", "i", "1"], "noise_scale", 1.0),
        (["/sdv2/noise_scale", "s", "0.35"], "noise_scale", 0.35),
        (["/sdv2/seed", "h", "9007199254740993"], "seed", 9007199254740993),
        (["/sdv2/prompt", "s", "a wall of neon"], "prompt", "a wall of neon"),
        (["/sdv2/freeze", "T"], "freeze", True),
        (["/sdv2/steps", "fff", "900", "600", "300"], "steps", (900, 600, 300)),
        (["/sdv2/steps", "s", "800,400"], "steps", (800, 400)),
        (["/scope/denoising_step_list", "ii", "750", "250"], "steps", (750, 250)),
        (["/scope/paused", "i", "1"], "freeze", True),
        (["/scope/transition_steps", "i", "8"], "transition_chunks", 8),
        (["/scope/noise_controller", "F"], "noise_controller", False),
        (["/scope/prompts", "s", "ink"], "prompt", "ink"),
    ],
)
def test_liblo_speaks_to_it(arguments: list[str], name: str, value: Any, store: ParamStore, server: OscServer, wait: Any) -> None:
    subprocess.run(["oscsend", "127.0.0.1", str(server.port), *arguments], check=True, timeout=DEADLINE_S)
    wait(lambda: getattr(store.latest(), name) == value)


def test_triggers_fire_without_an_argument_and_ignore_the_release(store: ParamStore, client: Any, wait: Any) -> None:
    for args in ((), (1.0,), (0.0,), (True,), (0,)):
        client.send("/sdv2/reset", *args)
    client.send("/scope/reset_cache", 1)
    client.send("/sdv2/seed", 7)
    wait(lambda: store.latest().seed == 7)
    assert store.counters.fired == 4


def test_scope_cache_upkeep_is_accepted_without_effect(store: ParamStore, server: OscServer, client: Any, wait: Any) -> None:
    client.send("/scope/manage_cache", True)
    client.send("/sdv2/seed", 7)
    wait(lambda: store.latest().seed == 7)
    assert server.counters.refused == 0


@pytest.mark.parametrize(
    ("address", "args", "reason"),
    [
        ("/sdv2/noise_scal", (0.5,), "there is no such address; did you mean '/sdv2/noise_scale'?"),
        ("/x", (), "there is no such address; addresses look like /sdv2/noise_scale"),
        ("/sdv2/noise_scale", ("loud",), "noise_scale cannot be 'loud'; give a number 0..1"),
        ("/sdv2/noise_scale", (), "noise_scale came without a value; give a number 0..1"),
        ("/sdv2/noise_scale", (0.5, 0.25), "noise_scale cannot be (0.5, 0.25); give a number 0..1"),
        ("/sdv2/noise_scale", (b"blob",), "noise_scale cannot be b'blob'; give a number 0..1"),
        ("/sdv2/noise_scale", (None,), "noise_scale cannot be nothing; give a number 0..1"),
        ("/sdv2/noise_scale", (float("nan"),), "noise_scale cannot be nan (not a finite number); give a number 0..1"),
        ("/sdv2/prompt", (1,), "prompt cannot be 1; give text of at most 4000 characters"),
    ],
)
def test_refused_message_is_counted_and_answered(
    address: str, args: tuple[Any, ...], reason: str, store: ParamStore, server: OscServer, client: Any
) -> None:
    client.send(address, *args)
    assert client.answer() == ("/sdv2/error", address, reason)
    assert server.counters.refused == 1
    assert store.latest() == Params()


def test_clamped_value_is_applied_and_reported(store: ParamStore, client: Any) -> None:
    client.send("/sdv2/noise_scale", 1.5)
    assert client.answer() == (
        "/sdv2/warning",
        "/sdv2/noise_scale",
        "noise_scale 1.5 was clamped to 1.0 (a number 0..1)",
    )
    assert store.latest().noise_scale == 1.0


def test_bundle_is_one_change_and_a_bad_message_costs_only_itself(
    store: ParamStore, server: OscServer, client: Any, wait: Any
) -> None:
    client.bundle(
        message("/sdv2/noise_scale", 0.5),
        message("/sdv2/nothing", 1),
        message("/sdv2/reset"),
        message("/sdv2/reset", 1),
        message("/sdv2/seed", 9),
    )
    assert client.answer()[:2] == ("/sdv2/error", "/sdv2/nothing")
    wait(lambda: store.latest().seed == 9)
    taken = store.snapshot()
    assert (taken.params.noise_scale, taken.params.seed, taken.fired) == (0.5, 9, {"reset"})
    assert store.snapshot().fired == {"reset"}
    assert store.counters.written == 2
    assert server.counters.messages == 5


def test_bundle_with_a_broken_element_keeps_its_others(store: ParamStore, server: OscServer, client: Any, wait: Any) -> None:
    broken = b"/sdv2/seed\0\0,z\0\0"
    client.raw(bundle(element(broken), element(bundle(element(message("/sdv2/noise_scale", 0.5)))), element(b"junk")))
    wait(lambda: store.latest().noise_scale == 0.5)
    assert server.counters.malformed == 2


def test_future_time_tag_waits_without_blocking(store: ParamStore, server: OscServer, client: Any, wait: Any) -> None:
    client.bundle(message("/sdv2/seed", 1), at=time.time() + 1.0)
    client.send("/sdv2/noise_scale", 0.5)
    wait(lambda: store.latest().noise_scale == 0.5)
    assert server.counters.scheduled == 1
    wait(lambda: store.latest().seed == 1)


@pytest.mark.parametrize(("tag", "meant"), [(-0.25, -0.25), (0.3, 0.3), (-50.0, 0.0), (None, 0.0)])
def test_a_change_knows_when_it_was_meant(
    tag: float | None, meant: float, store: ParamStore, server: OscServer, client: Any, wait: Any
) -> None:
    """By the bundle's time tag, unless that is long past, or else by the packet's arrival."""
    changes: list[Change] = []
    store.add_listener(changes.append)
    before = monotonic_ns()
    client.bundle(message("/sdv2/tempo/tap", 1), at=IMMEDIATELY if tag is None else time.time() + tag)
    wait(lambda: changes)
    after = monotonic_ns()
    assert before <= changes[0].at_ns - meant * 1e9 + 5e6
    assert changes[0].at_ns - meant * 1e9 - 5e6 <= after


def test_far_future_time_tag_is_refused(server: OscServer, client: Any) -> None:
    client.bundle(message("/sdv2/seed", 1), at=time.time() + 86_400)
    kind, address, reason = client.answer()
    assert (kind, address) == ("/sdv2/error", "/sdv2/seed")
    assert reason.endswith("s ahead; compare the clocks")
    assert (server.counters.scheduled, server.counters.refused) == (0, 1)


NESTED = element(message("/sdv2/seed", 1))
for _ in range(2000):
    NESTED = element(bundle(NESTED))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"junk",
        b"#bundle\0",
        b"#bundle\0\0\0\0",
        bundle(b"\0"),
        bundle(struct.pack(">i", -4)),
        bundle(struct.pack(">i", 0)),
        bundle(struct.pack(">i", 2**31 - 1) + b"/sdv2/seed\0\0"),
        NESTED[4:],
        b"/unterminated",
        b"/\xff\xfe\0",
        b"/sdv2/seed\0\0,i\0\0\0",
        b"/sdv2/seed\0\0,[[[\0\0\0\0",
        b"/sdv2/seed\0\0,]\0\0",
        b"/sdv2/seed\0\0i\0\0\0\0\0\0\1",
        b"/sdv2/seed\0\0,b\0\0" + struct.pack(">i", -8) + b"\0" * 8,
        b"/sdv2/seed\0\0,t\0\0" + b"\xff" * 8,
        b"/" * 9000,
    ],
)
def test_nothing_malformed_stops_it(data: bytes, store: ParamStore, server: OscServer, client: Any, wait: Any) -> None:
    client.raw(data)
    client.send("/sdv2/seed", 7)
    wait(lambda: store.latest().seed == 7)
    assert server.counters.malformed + server.counters.refused >= 1
    assert store.latest() == Params(seed=7)


def test_it_never_answers_an_answer(store: ParamStore, server: OscServer, client: Any, wait: Any) -> None:
    client.send("/sdv2/error", "/sdv2/seed", "no")
    client.send("/sdv2/seed", 7)
    wait(lambda: store.latest().seed == 7)
    assert server.counters.refused == 0


def test_fader_storm_keeps_the_last_value(store: ParamStore, server: OscServer, client: Any, wait: Any) -> None:
    for step in range(1000):
        client.send("/sdv2/noise_scale", step / 1000)
        if step % 100 == 99:
            reached = pytest.approx(step / 1000, abs=1e-6)
            wait(lambda reached=reached: store.latest().noise_scale == reached)
    assert store.counters.coalesced + server.counters.coalesced == 999


def test_error_storm_is_throttled(server: OscServer, client: Any, caplog: pytest.LogCaptureFixture, wait: Any) -> None:
    for count in range(0, 500, 50):
        for _ in range(50):
            client.send("/sdv2/nothing", 1)
        wait(lambda count=count: server.counters.refused == count + 50)
    assert len(caplog.records) < 200


def test_port_in_use_says_so(server: OscServer) -> None:
    with pytest.raises(ConfigError) as caught:
        OscServer(ParamStore(), port=server.port)
    assert str(caught.value) == (
        f"osc: 127.0.0.1:{server.port} is in use by another program; choose another port, as in --set osc.port={server.port + 1}"
    )
    assert caught.value.exit_code != 0


@pytest.mark.parametrize("host", ["a..b", "203.0.113.1"])
def test_host_of_another_machine_says_so(host: str) -> None:
    with pytest.raises(ConfigError, match=r"set osc\.host to 127\.0\.0\.1 or an address of this machine"):
        OscServer(ParamStore(), host=host, port=0)


def test_close_is_idempotent_and_frees_the_port(store: ParamStore) -> None:
    server = OscServer(store, port=0)
    server.start()
    server.close()
    server.close()
    OscServer(store, port=server.port).close()


def test_an_address_cannot_forge_a_line_of_the_log(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    client.send("/sdv2/x\nWARNING all is lost\x1b[2J", 1)
    client.answer()
    assert [record.getMessage().isprintable() for record in caplog.records] == [True]


def test_listening_beyond_this_machine_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with OscServer(ParamStore(), host="0.0.0.0", port=0):
        pass
    assert "0.0.0.0: every machine of a private network can play this show" in caplog.text


def test_a_sender_beyond_its_rate_is_not_read(store: ParamStore, wait: Any) -> None:
    with OscServer(store, port=0, max_rate=10) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stuck:
        for _ in range(500):
            stuck.sendto(build_msg("/sdv2/cue_prompt", ["again"]).dgram, ("127.0.0.1", server.port))
        wait(lambda: server.counters.flooded >= 400)
        assert 10 <= server.counters.messages <= 100  # 10 at once, and what a slow machine's seconds add
        assert server.counters.barred == 0


@pytest.mark.parametrize("when", [-5.0, 5.0, 1e6])
def test_an_empty_bundle_means_nothing(when: float, server: OscServer, client: Any, wait: Any) -> None:
    client.bundle(at=time.time() + when)
    client.send("/sdv2/mix", 0.5)
    wait(lambda: server.counters.messages == 1)
    assert (server.counters.failures, server.counters.scheduled, server.counters.refused) == (0, 0, 0)
