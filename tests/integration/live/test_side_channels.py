"""Sound, tally and failover beside the picture, over real NDI on loopback.

The camera and the receiver of tally and failover are a client that others wrote; for the listener see `sound`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("NDIlib", reason="ndi-python has no wheel for this system", exc_type=ImportError)
pytest.importorskip("cyndilib", reason="the independent NDI client (cyndilib) has no wheel for this system", exc_type=ImportError)

from support.fakes import FakeSink, FakeSource, only
from support.ndi_client import ClientReceiver, ClientSender, unique_name
from support.pictures import assert_like, bars, with_fourth
from support.places import ROOT
from support.sound import Camera, Listener, digits, level, numbers, tone
from support.waiting import eventually

from sdv2_live.config.choices import OnLost
from sdv2_live.frame import Frame
from sdv2_live.io.base import Source
from sdv2_live.io.ndi.sink import NdiSink
from sdv2_live.io.ndi.source import NdiSource
from sdv2_live.live.failover import Failover
from sdv2_live.live.input_policy import Policy
from sdv2_live.live.intake import Intake
from sdv2_live.live.playout import Playout
from sdv2_live.live.side_channels import SideChannels, join_side_channels
from sdv2_live.live.switcher import OutputMode
from sdv2_live.stats import Counters


class Rig:
    """The daemon's own path with an engine that hands chunks of four through, as late as it is told."""

    def __init__(self, source: Source | Failover, sink: NdiSink, late_s: float, **options: Any) -> None:
        self.counters = Counters()
        self.input = only(source, self.counters) if isinstance(source, Source) else source
        self.showing = OutputMode()
        self.late_s = late_s
        self.sides = join_side_channels(self.input, sink, self.counters, **options)
        self.playout = Playout(sink, self.counters, lambda: self.showing)
        self.intake = Intake(self.counters, self.playout.offer_input)
        self._stop = threading.Event()
        self._engine = threading.Thread(target=self._paint)
        self.input.start(self.intake.accept)
        for part in (self.playout, self._engine):
            part.start()

    def _paint(self) -> None:
        chunks: list[tuple[float, list[Frame]]] = []
        while not self._stop.is_set():
            frames = self.intake.pop_chunk(4, 0.01)
            if frames:
                chunks.append((time.monotonic() + self.late_s, frames))
            if chunks and time.monotonic() >= chunks[0][0]:
                self.playout.show(chunks.pop(0)[1])

    def close(self) -> None:
        self._stop.set()
        self._engine.join()
        if self.sides is not None:
            self.sides.close()
        self.input.close()
        self.playout.close()


@pytest.fixture
def closing() -> Iterator[Callable]:
    """Registers things to close, the last first."""
    things: list = []

    def register(thing: Any) -> Any:
        things.append(thing)
        return thing

    yield register
    for thing in reversed(things):
        thing.close()


def lip_sync_ms(pictures: list[tuple[float, int]], sound: list[tuple[float, np.ndarray]]) -> list[float]:
    """For every flash that came while there was sound: how much later than it its own sound was sent, in milliseconds."""
    flashes = [after[0] for before, after in pairwise(pictures) if after[1] > 128 >= before[1]]
    clicks = [
        stamp + (numbers([(stamp, samples)]) == 0).argmax() / 48_000 for stamp, samples in sound if 0 in numbers([(0, samples)])
    ]
    return [1000 * min((click - flash for click in clicks), key=abs) for flash in flashes if clicks]


def painted(rig: Rig) -> bool:
    return rig.sides.delay_ms > 250


def painting(closing: Callable, sound: Callable[[np.ndarray], np.ndarray] = digits) -> tuple[Rig, Listener]:
    """A camera, the daemon's path, and somebody who listens, when the sound follows the painting."""
    camera = closing(Camera(sound))
    sink = NdiSink(unique_name())
    rig = closing(Rig(NdiSource(camera.sender.full_name), sink, late_s=0.25))
    listener = closing(Listener(sink.full_name))
    eventually("the painting's delay", lambda: painted(rig))
    listener.hear(15)
    return rig, listener


def test_sound_passes_whole_with_the_picture_and_goes_on_while_that_is_held(closing: Callable) -> None:
    rig, listener = painting(closing)
    sound = listener.hear_whole(60)
    offsets = lip_sync_ms(listener.pictures, sound)
    assert offsets
    print(f"picture {rig.sides.delay_ms:.0f} ms late; sound after the picture by", [f"{ms:.1f} ms" for ms in offsets])
    rig.showing = OutputMode(freeze=True)
    listener.hear_whole(30)


def test_bypass_and_back_make_no_click(closing: Callable) -> None:
    rig, listener = painting(closing, tone)
    listener.sound.clear()
    rig.showing = OutputMode(bypass=True)
    eventually("the input's delay", lambda: 0 < rig.sides.delay_ms < 150)
    there = len(listener.sound)
    eventually("sound of the input", lambda: len(listener.sound) > there + 30)
    rig.showing = OutputMode()
    eventually("the painting's delay again", lambda: painted(rig))
    there = len(listener.sound)
    eventually("its sound", lambda: len(listener.sound) > there + 60)
    heard = np.concatenate([samples[0] for _, samples in listener.sound])
    steepest = 0.5 * 2 * np.pi * 100 / 48_000
    assert np.abs(np.diff(heard)).max() < 1.5 * steepest  # a lost or doubled piece of a tone is a step
    assert np.abs(heard).max() < 0.51
    silent = np.convolve(np.abs(heard) < 0.01, np.ones(48), "valid") == 48
    assert silent.sum() > 0.1 * 48_000  # put in on the way back


def test_sound_can_be_off(closing: Callable) -> None:
    camera = closing(Camera())
    source, sink = NdiSource(camera.sender.full_name), NdiSink(unique_name())
    rig = closing(Rig(source, sink, late_s=0.0, audio=False))
    listener = closing(Listener(sink.full_name))
    eventually("pictures", lambda: len(listener.pictures) > 40)
    assert listener.sound == []
    assert rig.counters["audio_blocks"] == 0


def test_tally_of_the_output_reaches_the_camera(closing: Callable) -> None:
    camera = closing(Camera())
    source, sink = NdiSource(camera.sender.full_name), NdiSink(unique_name())
    closing(Rig(source, sink, late_s=0.0))
    receiver = closing(ClientReceiver(sink.full_name))
    for tally in [(True, False), (True, True), (False, False)]:
        receiver.set_tally(*tally)
        eventually(f"tally {tally}", lambda tally=tally: camera.sender.tally == tally)


MAIN, BACKUP = 0.25, -0.25  # levels: what a camera sounds like


class TwoCameras:
    """A main camera and a backup, guarded as in a show, each heard by a level of its own. `select` as the performer set it."""

    def __init__(self, closing: Callable) -> None:
        self.cameras: dict[float, Camera] = {value: closing(Camera(level(value))) for value in (MAIN, BACKUP)}
        self.select = "auto"
        main, backup = (NdiSource(camera.sender.full_name) for camera in self.cameras.values())
        policy = Policy(on_lost=OnLost.BACKUP, return_s=0.2, fade_s=0.1)
        self.guard = Failover(main, policy, Counters(), backup=backup, select=lambda: self.select)
        sink = NdiSink(unique_name())
        closing(Rig(self.guard, sink, late_s=0.0))
        self.listener: Listener = closing(Listener(sink.full_name))
        closing(ClientReceiver(sink.full_name)).set_tally(True, False)

    def on_air(self, value: float) -> None:
        """Wait until this camera alone is heard, and it alone knows that it is on air."""
        heard = self.listener.sound

        def alone() -> bool:
            last = [samples for _, samples in heard[-10:]]
            return len(last) == 10 and bool(np.allclose(np.concatenate(last, axis=1), value, atol=0.01))

        eventually(f"sound of the level {value}", alone, 60)
        wanted = {camera: camera is self.cameras[value] for camera in self.cameras.values()}
        eventually("tally", lambda: {camera: camera.sender.tally[0] for camera in self.cameras.values()} == wanted)


def test_sound_and_tally_are_those_of_the_input_that_is_shown_also_when_one_is_lost(closing: Callable) -> None:
    two = TwoCameras(closing)
    two.on_air(MAIN)
    two.listener.sound.clear()
    for select, value in (("backup", BACKUP), ("main", MAIN), ("backup", BACKUP)):
        two.select = select
        two.on_air(value)
    heard = np.concatenate([samples[0] for _, samples in two.listener.sound])
    assert np.abs(np.diff(heard)).max() < 0.6 * (MAIN - BACKUP)  # there is silence between the one and the other
    two.select = "auto"
    two.on_air(MAIN)
    lost = two.cameras.pop(MAIN)
    lost.close()
    two.on_air(BACKUP)
    two.cameras[MAIN] = closing(Camera(level(MAIN), lost.name))
    two.on_air(MAIN)


def test_receivers_hear_who_sends(closing: Callable) -> None:
    sink = closing(NdiSink(unique_name()))
    listener = closing(Listener(sink.full_name))
    eventually("two words", lambda: len(listener.said) >= 2)
    said = {element.tag: element.attrib for element in map(ElementTree.fromstring, listener.said)}
    assert said["ndi_product"]["short_name"] == "sdv2-live"
    assert said["ndi_product"]["session"] == sink.full_name
    assert said["ndi_capabilities"]["ntk_ptz"] == "false"


DAEMON = """
import logging, sys, threading
from sdv2_live.live.failover import Failover
from sdv2_live.live.input_policy import Policy
from sdv2_live.live.side_channels import join_side_channels
from sdv2_live.io.ndi.source import NdiSource
from sdv2_live.io.ndi.sink import NdiSink
from sdv2_live.stats import Counters

logging.basicConfig(stream=sys.stdout, level=logging.INFO)
camera, sink = Failover(NdiSource(sys.argv[1]), Policy(), Counters()), NdiSink(sys.argv[2])
print("name", sink.full_name, flush=True)
join_side_channels(camera, sink, Counters(), failover=sys.argv[3])
camera.start(sink.send)
threading.Event().wait()
"""


@pytest.mark.parametrize("failover", ["auto", "name"])
def test_when_the_program_dies_receivers_see_the_camera(closing: Callable, failover: str) -> None:
    camera = closing(ClientSender(unique_name("camera"), 48, 128))
    pixels = with_fourth(bars(48, 128), "BGR")
    arguments = [camera.full_name, unique_name(), camera.full_name[-20:-1] if failover == "name" else failover]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    daemon = subprocess.Popen([sys.executable, "-c", DAEMON, *arguments], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert daemon.stdout is not None
        lines = iter(daemon.stdout.readline, "")
        name = next(line for line in lines if line.startswith("name ")).removeprefix("name ").strip()
        receiver = closing(ClientReceiver(name))
        receiver.picture(lambda got: got.shape[:2] == (48, 128), lambda: camera.send(pixels))
        next(line for line in lines if "receivers turn to" in line)
        receiver.picture(lambda got: True, lambda: camera.send(pixels))
    finally:
        daemon.kill()
        daemon.wait()
    dark = np.full((48, 128, 3), 20, np.uint8)
    got = receiver.picture(lambda got: got[..., :3].max() < 60, lambda: camera.send(with_fourth(dark, "BGR")))
    assert_like(got[..., :3], dark, bar_edges=False)


def test_other_ports_are_not_joined() -> None:
    assert join_side_channels(only(FakeSource([]), Counters()), FakeSink(), Counters()) is None


def test_close_repeats_and_lets_go(closing: Callable) -> None:
    source, sink = closing(NdiSource(unique_name())), closing(NdiSink(unique_name()))
    sides = join_side_channels(only(source, Counters()), sink, Counters())
    assert isinstance(sides, SideChannels)
    sides.close()
    sides.close()
    assert source.listeners == ()
    assert sink.on_sent is None
