"""Faults of control: floods, garbage, clients that stall, files that break."""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import aiohttp
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import build_msg
from support.waiting import eventually

from faults.bystanders import FAR_S
from faults.faultrig import VALUES, Rig
from faults.fuzzing import fuzz
from faults.injection import Fault

STORM_S = 1.0
STORM_RATE = 3000  # packets a second
CLIENTS = 60
ODD = ("\u202eevil", "\U0001f525" * 40, "a\u0301" * 90, "\x00\x1b[2J", "ｗｉｄｅ", "\ud7ff\ue000\ufffe", "ذ" * 70)


def storm(name: str, packets: Callable[[random.Random], Iterator[bytes]]) -> Fault:
    """A second of packets, faster than anybody plays; afterwards the performer sets everything again, and it must hold."""

    def inject(rig: Rig) -> None:
        before = rig.desk.values()
        source = packets(random.Random(time.monotonic_ns()))
        end = time.monotonic() + STORM_S
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while time.monotonic() < end:
                for packet in itertools.islice(source, STORM_RATE // 100):
                    sender.sendto(packet, rig.desk.server)
                time.sleep(0.01)
        rig.set(before)

    return Fault(f"control: {name}", inject)


def _faders(rng: random.Random) -> Iterator[bytes]:
    names = ("noise_scale", "mix", "prompt/2/weight", "adapt_sink_threshold")
    while True:
        yield build_msg("/sdv2/" + rng.choice(names), [rng.random()]).dgram


def _seeds_and_steps(rng: random.Random) -> Iterator[bytes]:
    while True:
        yield build_msg("/sdv2/seed", [rng.randrange(2**31)]).dgram
        steps = sorted(rng.sample(range(1, 1000), rng.randrange(1, 5)), reverse=True)
        yield build_msg("/sdv2/steps", steps).dgram
        yield build_msg("/sdv2/prompt_change", [rng.choice(("soft", "cut"))]).dgram
        yield build_msg("/sdv2/normalize_latents", [rng.randrange(2)]).dgram


def _resets(rng: random.Random) -> Iterator[bytes]:
    while True:
        yield build_msg("/sdv2/reset", []).dgram


def _prompts(rng: random.Random) -> Iterator[bytes]:
    while True:
        text = "".join(rng.choice(ODD) for _ in range(200))[:4000].encode("utf-8", "replace").decode()
        for name in ("prompt", "prompt/2/text", "cue_prompt", "take"):
            yield build_msg("/sdv2/" + name, [text] if name != "take" else []).dgram


def _patterns(rng: random.Random) -> Iterator[bytes]:
    while True:
        words = ",".join(rng.choice(("", "a", "aa", "p*")) for _ in range(3))
        yield build_msg("/sdv2/" + rng.choice(("{" + words + "}", "*[!x]", "?*")) * 12 + "!", [1.0]).dgram


def _bundle(messages: list[bytes], ahead: float = 0.0) -> bytes:
    tag = int((time.time() + ahead + 2_208_988_800) * 2**32) if ahead else 1
    return b"#bundle\0" + struct.pack(">Q", tag) + b"".join(struct.pack(">i", len(one)) + one for one in messages)


def _bundles_of_patterns(rng: random.Random) -> Iterator[bytes]:
    while True:
        yield _bundle([build_msg("/sdv2/{lora,prompt}/*/{scale,weight}", [rng.random()]).dgram] * 1000)


def _scheduled(rng: random.Random) -> Iterator[bytes]:
    while True:
        # The performer's own value: what is due a minute later is no fault, and shall not look like a lost parameter then.
        kept = build_msg("/sdv2/adapt_sink_threshold", [VALUES["adapt_sink_threshold"]]).dgram
        yield _bundle([kept] * 300, rng.choice((0.5, 50.0)))


def _nested(rng: random.Random) -> Iterator[bytes]:
    while True:
        depth = rng.choice((1000, 20_000))
        deep = b"/sdv2/seed\0\0," + b"[" * depth + b"]" * depth + b"\0" * 3
        yield rng.choice((deep, _bundle([build_msg("/sdv2/mix", [1.0]).dgram, deep])))


def _garbage(rng: random.Random) -> Iterator[bytes]:
    # These do what they say, and are no fault; a bundle may do so a minute later.
    shows = (b"blackout", b"bypass", b"freeze", b"record", b"preset", b"#bundle")
    while True:
        packet = fuzz(rng)
        if not any(word in packet for word in shows):
            yield packet


def _subscribers(rng: random.Random) -> Iterator[bytes]:
    while True:
        yield build_msg("/sdv2/subscribe", [rng.randrange(1024, 65000)]).dgram


def connections(name: str, first: bytes, more: bytes) -> Fault:
    """Many TCP clients that begin something, go on with it slowly, and never read."""

    def inject(rig: Rig) -> None:
        with ExitStack() as opened:
            clients = [opened.enter_context(socket.create_connection(rig.desk.server, 5)) for _ in range(CLIENTS)]
            for client in clients:
                client.sendall(first)
            end = time.monotonic() + STORM_S
            while time.monotonic() < end:
                for client in clients:
                    with suppress(OSError):  # thrown out, as it should be
                        client.send(more)
                time.sleep(0.1)

    return Fault(f"control: {name}", inject)


def _slow_http(rig: Rig) -> None:
    host, port = rig.http.split("//")[1].strip("/").split(":")
    with ExitStack() as opened:
        clients = [opened.enter_context(socket.create_connection((host, int(port)), 5)) for _ in range(CLIENTS)]
        for byte in b"GET / HTTP/1.1\r\nHost":
            for client in clients:
                with suppress(OSError):  # it had to give way
                    client.send(bytes([byte]))
            time.sleep(0.05)


def _websockets(rig: Rig) -> None:
    async def flood() -> None:
        async with aiohttp.ClientSession() as session:
            many = [await session.ws_connect(rig.http) for _ in range(8)]
            end = time.monotonic() + STORM_S
            while time.monotonic() < end:
                for one in many:
                    await one.send_str('{"COMMAND": "LISTEN", "DATA": "/sdv2/noise_scale"}')
                    await one.send_str("{" * 500)
                    await one.send_bytes(build_msg("/sdv2/noise_scale", [time.monotonic() % 1]).dgram)
                await asyncio.sleep(0.002)
            for one in many:
                await one.close()  # answered when all that was sent before is read: none of it overwrites what is set now

    asyncio.run(flood())
    rig.set(VALUES)


def _broken_preset(rig: Rig) -> None:
    rig.write_preset("bad", "params: {noise_scale: [}\nparams: 7")
    rig.desk.send("preset/reload")
    rig.desk.send("preset", "bad")
    rig.desk.send("preset", 1)
    time.sleep(0.3)
    rig.write_preset("bad", "params: {noise_scale: 0.35}")
    rig.desk.send("preset/reload")
    rig.set(VALUES)


def _bouncing_record(rig: Rig) -> None:
    """On, off, on at once: what is shown as being recorded is written."""
    takes = rig.metric("takes_recorded_total")
    for value in (1, 0, 1):
        rig.desk.send("record", value)
    rig.set({"record": 1})
    eventually("a take", lambda: rig.metric("recording") == 1, FAR_S)
    rig.painting(3)
    rig.set({"record": 0})
    eventually("it to be written", lambda: rig.metric("takes_recorded_total") > takes, FAR_S)


def _no_presets(rig: Rig) -> None:
    shutil.rmtree(rig.folder / "presets")
    rig.desk.send("preset/reload")
    rig.desk.send("preset", "good")
    rig.desk.send("preset/save", "new")
    time.sleep(0.3)
    (rig.folder / "presets").mkdir(exist_ok=True)
    rig.write_preset("good", "params: {noise_scale: 0.35}")
    rig.desk.send("preset/reload")
    rig.set(VALUES)


def _dead_connections(rig: Rig) -> None:
    """All places are taken by clients that began a packet and are gone; another plays by TCP."""
    with ExitStack() as opened:
        for _ in range(CLIENTS):
            opened.enter_context(socket.create_connection(rig.desk.server, 5)).sendall(b"\0\0")
        message = build_msg("/sdv2/seed", [4321]).dgram
        opened.enter_context(socket.create_connection(rig.desk.server, 5)).sendall(struct.pack(">I", len(message)) + message)
        eventually("the client that plays to be heard", lambda: rig.desk.values()["seed"] == (4321,), FAR_S)
    rig.set(VALUES)


def _dead_subscribers(rig: Rig) -> None:
    """More programs than are served subscribe and end; another that only listens is told of what changes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.settimeout(FAR_S)
        for program in range(CLIENTS):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ended:
                ended.sendto(build_msg("/sdv2/subscribe", []).dgram, rig.desk.server)
            if program == CLIENTS // 2:
                listening.sendto(build_msg("/sdv2/subscribe", []).dgram, rig.desk.server)
        rig.set({"seed": 4321})
        while OscMessage(listening.recv(65536)).params != [4321]:
            pass
    rig.set(VALUES)


def _hears_itself(rig: Rig) -> None:
    """The show is told to subscribe itself; one reset must stay one."""
    before = rig.metric("params_fired_total")
    for host in ("127.0.0.1", "0.0.0.0", "localhost"):
        rig.desk.send("subscribe", host, rig.desk.server[1])
    rig.desk.send("reset")
    eventually("the reset", lambda: rig.metric("params_fired_total") > before, FAR_S)
    time.sleep(STORM_S)  # in which an echo would come thirty times
    assert rig.metric("params_fired_total") == before + 1


FAULTS = (
    storm("a flood of faders", _faders),
    storm("garbage", _garbage),
    storm("address patterns of many braces and stars", _patterns),
    storm("bundles of a thousand patterns", _bundles_of_patterns),
    storm("bundles that wait for their time", _scheduled),
    storm("arrays within arrays", _nested),
    storm("a storm of seeds, steps and cuts", _seeds_and_steps),
    storm("a storm of resets", _resets),
    storm("prompts of 4000 odd characters", _prompts),
    storm("subscriptions to where nobody listens", _subscribers),
    connections("OSC over TCP: half a packet, and never read", struct.pack(">I", 60_000), b"\0"),
    connections("OSC over TCP: dumps, and never read", b"", b"\xc0" + build_msg("/sdv2/subscribe", []).dgram + b"\xc0"),
    Fault("control: slow HTTP requests", _slow_http),
    Fault("control: a flood on WebSockets", _websockets),
    Fault("control: a preset file breaks", _broken_preset),
    Fault("control: record is pressed on, off and on at once", _bouncing_record),
    Fault("control: the preset folder is deleted", _no_presets),
    Fault("control: dead TCP clients take all places", _dead_connections),
    Fault("control: dead programs take all subscriptions", _dead_subscribers),
    Fault("control: the show is told to subscribe itself", _hears_itself),
)
