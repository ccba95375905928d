"""Faults of what follows the music: clocks that stop, jump or talk nonsense, hands that hammer."""

from __future__ import annotations

import itertools
import math
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import psutil
from mido import Message
from pythonosc.osc_message_builder import build_msg
from support.daemon import Daemon
from support.dmx import artnet, poll, sacn
from support.fake_midi import FakePorts
from support.sound_servers import Jack, why_no_jack
from support.systems import interrupt
from support.waiting import eventually

from faults.bystanders import FAR_S
from faults.control_faults import storm
from faults.faultrig import Rig, metric
from faults.injection import Fault
from sdv2_live.link.session import installed
from sdv2_live.midi.bridge import Bridge
from sdv2_live.midi.mapfile import MidiMap
from sdv2_live.music.dmx.artnet import PORT as ARTNET_PORT
from sdv2_live.music.dmx.sacn import PORT as SACN_PORT
from sdv2_live.music.midi_clock import CLOCKS_PER_BEAT

NONSENSE = (0.0, 1e6, -120.0, math.nan, math.inf)
NEWS_S = 0.05  # between two messages of a clock
CLOCK_BPM = 133.0
SOUND_BPM = 126.0
BROKEN_S = 1.0


def _talking(rig: Rig, seconds: float, beats: Iterator[float]) -> None:
    """Another program's clock, as a source."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        rig.desk.send("tempo/clock", CLOCK_BPM, next(beats), 0.0)
        time.sleep(NEWS_S)


def nonsense(rig: Rig) -> None:
    """A clock whose numbers are none, in the middle of good ones: counted, and the beat goes on in the last tempo."""
    rig.set({"tempo/source": "osc"})
    _talking(rig, 0.5, itertools.count(0.0, CLOCK_BPM / 60 * NEWS_S))
    eventually("the tempo to follow", lambda: rig.desk.values()["tempo/bpm"] == (CLOCK_BPM,), FAR_S)
    refused = rig.metric("tempo_refused_total")
    for number in NONSENSE:
        rig.desk.send("tempo/clock", number, 0.0, 0.0)
        rig.desk.send("tempo/clock", CLOCK_BPM, number if not math.isfinite(number) else 1e12, 0.0)
        rig.desk.send("tempo/bpm", number)
    eventually("them to be counted", lambda: rig.metric("tempo_refused_total") >= refused + 2 * len(NONSENSE), FAR_S)
    assert rig.desk.values()["tempo/bpm"] == (CLOCK_BPM,)
    rig.set({"tempo/source": "internal", "tempo/bpm": 120.0})


def stops(rig: Rig) -> None:
    """A clock that jumps about, and then says nothing more: counted, said once, and the beat goes on."""
    rig.set({"tempo/source": "osc"})
    jumps, lost = rig.metric("tempo_jumps_total"), rig.metric("tempo_lost_total")
    rng = random.Random(time.monotonic_ns())
    _talking(rig, 1.0, iter(lambda: rng.uniform(-1e6, 1e6), None))
    eventually("the jumps to be counted", lambda: rig.metric("tempo_jumps_total") > jumps, FAR_S)
    eventually("the silence to be noticed", lambda: rig.metric("tempo_lost_total") == lost + 1, FAR_S)
    beat = rig.desk.told.get("tempo/beat")
    eventually("the beat to go on", lambda: rig.desk.told.get("tempo/beat") not in (None, beat), FAR_S)
    assert rig.desk.values()["tempo/bpm"] == (CLOCK_BPM,)
    rig.set({"tempo/source": "internal", "tempo/bpm": 120.0})


def _ticking(ports: FakePorts, seconds: float) -> None:
    """A good MIDI clock."""
    next_s = time.monotonic()
    for _ in range(round(seconds * CLOCK_BPM / 60 * CLOCKS_PER_BEAT)):
        ports.play(Message("clock"))
        next_s += 60 / CLOCK_BPM / CLOCKS_PER_BEAT
        time.sleep(max(next_s - time.monotonic(), 0.0))


def clock_floods(rig: Rig) -> None:
    """A MIDI clock floods the bridge, jumps about in its song, and stops: told once, and the beat goes on in the last tempo."""
    rng = random.Random(time.monotonic_ns())
    ports = FakePorts("Pad")
    bridge = Bridge(ports, MidiMap("Pad", ()), port=rig.desk.server[1])
    thread = threading.Thread(target=bridge.run)
    thread.start()
    try:
        rig.set({"tempo/source": "midi"})
        eventually("the bridge to listen", lambda: bridge.device.connected, FAR_S)
        lost, jumps = rig.metric("tempo_lost_total"), rig.metric("tempo_jumps_total")
        ports.play(Message("start"))
        _ticking(ports, 2.0)
        near = lambda: abs(rig.metric("bpm") - CLOCK_BPM) < 2  # noqa: E731
        eventually("the tempo to follow", near, FAR_S)
        for _ in range(4):
            ports.play(Message("songpos", pos=rng.randrange(1 << 14)))
            _ticking(ports, 0.3)
        end = time.monotonic() + BROKEN_S
        while time.monotonic() < end:
            ports.play(Message("clock"), Message(rng.choice(("clock", "start", "stop", "continue"))))
        eventually("the jumps to be counted", lambda: rig.metric("tempo_jumps_total") > jumps, FAR_S)
        eventually("the silence to be noticed", lambda: rig.metric("tempo_lost_total") == lost + 1, FAR_S)
        assert near()
        ports.play(Message("start"))
        _ticking(ports, 2.0)
        eventually("the tempo again", near, FAR_S)
    finally:
        bridge.stop()
        thread.join(FAR_S)
        rig.set({"tempo/source": "internal", "tempo/bpm": 120.0})


def _hammering(rng: random.Random) -> Iterator[bytes]:
    while True:
        yield build_msg("/sdv2/tempo/tap", [1]).dgram
        yield build_msg("/sdv2/tempo/" + rng.choice(("resync", "multiply", "divide")), [1]).dgram
        yield build_msg("/sdv2/tempo/clock", ["link", rng.uniform(20, 999), rng.uniform(0, 1e6), 0.0, 3]).dgram
        yield build_msg("/composition/tempocontroller/tempo", ["+", rng.uniform(-1, 1)]).dgram


def sound(rig: Rig) -> None:
    """The beat of the camera's sound leads; then its samples are no numbers, and then it stops: told, and the beat goes on."""
    rig.camera.tell(sound="drums")
    rig.set({"tempo/source": "audio"})
    near = lambda: abs(rig.desk.values()["tempo/bpm"][0] - SOUND_BPM) < 0.5  # noqa: E731
    eventually("the tempo of the sound", near, FAR_S)
    lost = rig.metric("tempo_lost_total")
    rig.camera.tell(sound="nan")  # the SDK makes numbers of them, of some kind
    time.sleep(BROKEN_S)
    rig.camera.tell(sound="none")
    eventually("the silence to be noticed", lambda: rig.metric("tempo_lost_total") > lost, FAR_S)
    eventually("it told", lambda: rig.metric("sound_live") == 0, FAR_S)
    beat = rig.desk.told.get("tempo/beat")
    eventually("the beat to go on", lambda: rig.desk.told.get("tempo/beat") not in (None, beat), FAR_S)
    assert near()
    rig.camera.tell()
    rig.set({"tempo/source": "internal", "tempo/bpm": 120.0})


def unplugged(rig: Rig) -> None:
    """The sound card of another show vanishes and comes back, as its JACK server does: counted, and the show paints on."""
    server = Jack()
    options = ("--input", f"ndi:{rig.camera.name}", "--set", "audio.source=card", "--set", "oscquery.announce=false")
    show = Daemon(*options, environment=server.environment)
    try:
        read = partial(metric, show.http())
        eventually("its sound", lambda: read("sound_live") == 1, FAR_S)
        server.end()
        eventually("the loss to be counted", lambda: read("ears_card_lost_total") == 1, FAR_S)
        chunks = read("chunks_total")
        eventually("it to paint on", lambda: read("chunks_total") > chunks + 2, FAR_S)
        server.start()
        eventually("its sound again", lambda: read("sound_live") == 1, FAR_S)
    finally:
        interrupt(show.process)
        server.close()
        assert show.process.wait(FAR_S) == 0, "".join(show.log[-30:])


def desk_floods(rig: Rig) -> None:
    """A light desk that sends more than anybody reads, most of it rubbish: counted, and nothing else is late for it."""
    rng = random.Random(time.monotonic_ns())
    levels = bytes(512)  # the same in every packet: nothing is played
    packets = (
        artnet(levels),
        artnet(levels, universe=77),
        sacn(levels),
        poll(),
        rng.randbytes(700),
        b"Art-Net\0" + rng.randbytes(40),
    )
    names = ("packets", "other", "malformed", "flooded")
    counted = lambda: sum(rig.metric(f"dmx_{name}_total") for name in names)  # noqa: E731
    before, end, sent = counted(), time.monotonic() + BROKEN_S, 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as desk:
        while time.monotonic() < end:
            for packet in packets:
                desk.sendto(packet, ("127.0.0.1", SACN_PORT if packet is packets[2] else ARTNET_PORT))
                sent += 1
    eventually("it to be counted", lambda: counted() > before + 100, FAR_S)
    assert sent > 100


def link_ends(rig: Rig, by: signal.Signals) -> None:
    """Link's process is killed, or hangs: counted, another takes its place, and the beat goes on in its tempo."""
    rig.set({"tempo/bpm": 131.0, "tempo/source": "link"})
    before = rig.metric("link_ended_total")
    first = eventually("Link's process", lambda: link_pid(rig), FAR_S)
    os.kill(first, by)
    eventually("its end to be counted", lambda: rig.metric("link_ended_total") == before + 1, FAR_S)
    eventually("another", lambda: link_pid(rig) not in (0, first), FAR_S)
    assert abs(rig.metric("bpm") - 131.0) < 1
    rig.set({"tempo/source": "internal", "tempo/bpm": 120.0})


def link_pid(rig: Rig) -> int:
    """The process of Link, 0 while there is none."""
    engine = int(rig.desk.told["status/engine_pid"][0])
    for child in psutil.Process(rig.pid).children():
        with suppress(psutil.NoSuchProcess):
            if child.pid != engine and any("spawn_main" in part for part in child.cmdline()):
                return child.pid
    return 0


LINK = (
    Fault("music: the process of Ableton Link is killed", partial(link_ends, by=signal.SIGKILL)),
    Fault("music: the process of Ableton Link hangs", partial(link_ends, by=signal.SIGSTOP)),
)
FAULTS = (
    Fault("music: a tempo that is none", nonsense),
    Fault("music: a clock that jumps and then stops", stops),
    Fault("music: a MIDI clock that floods and jumps", clock_floods),
    Fault("music: sound that is broken, and stops", sound),
    *(() if why_no_jack() else (Fault("music: a sound card unplugged, and back", unplugged),)),
    Fault("music: a light desk that floods", desk_floods),
    *(() if installed() is None else LINK),
    storm("taps, doublings and clocks", _hammering),
)
