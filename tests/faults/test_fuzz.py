"""Anything at all may come to the OSC port of a running show."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import build_msg
from support.daemon import Daemon, running

from faults.fuzzing import ROOT, fuzz
from sdv2_live.control.coerce import exact
from sdv2_live.control.params import PARAMS

BATCH = 250  # packets sent before the daemon must have answered
GROWTH_MB = 100  # what its memory may grow by from the first tenth on: prompts are remembered, their number is bounded
END = {
    "noise_scale": 0.25,
    "steps": "600,300",
    "seed": 1234,
    "prompt": "rain on a window",
    "mix": 0.75,
    "transition_chunks": 3,
    "freeze": 0,
    "bypass": 0,
}


class Listener:
    """A subscriber, whom every applied value is told."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.2)
        self.server = ("127.0.0.1", port)
        self.told: dict[str, tuple[object, ...]] = {}

    def send(self, name: str, *values: object) -> None:
        self.socket.sendto(build_msg(ROOT + name, list(values)).dgram, self.server)

    def until(self, condition: Callable[[], bool], again: Callable[[], None]) -> None:
        """Listen until the condition holds, doing `again` every now and then: UDP may lose either way."""
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, f"gave up; last told: {sorted(self.told)}"
            try:
                heard = OscMessage(self.socket.recv(65536))
                self.told[heard.address.removeprefix(ROOT)] = tuple(heard.params)
            except TimeoutError:
                again()


def resident_mb(daemon: Daemon) -> float:
    """Memory of the daemon and its children, in megabytes."""
    total = 0
    pids = [daemon.process.pid]
    while pids:
        pid = pids.pop()
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            pids += [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return total / 1024


def bombard(daemon: Daemon, count: int, seed: int) -> list[float]:
    """Send `count` packets, in batches each of which the daemon must outlive; its memory in MB as it went."""
    rng = random.Random(seed)
    memory: list[float] = []
    pinger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener = Listener(daemon.port)
    for sent in range(0, count, BATCH):
        for _ in range(min(BATCH, count - sent)):
            pinger.sendto(fuzz(rng), ("127.0.0.1", daemon.port))
        word = f"ping {sent}"

        def ping(word: str = word) -> None:
            listener.send("subscribe")  # a fuzzed packet may have ended it
            pinger.sendto(build_msg(ROOT + "cue_prompt", [word]).dgram, ("127.0.0.1", daemon.port))

        ping()
        listener.until(lambda word=word: listener.told.get("cue_prompt") == (word,), ping)
        assert daemon.process.poll() is None, "".join(daemon.log[-20:])
        if sent % (count // 10) < BATCH:
            memory.append(resident_mb(daemon))
    pinger.close()
    listener.socket.close()
    return memory


def check_it_still_plays(daemon: Daemon) -> None:
    """Every value is one of its table, and new ones are taken as on the first day."""
    listener = Listener(daemon.port)
    kept = {name for name, spec in PARAMS.items() if spec.kept}
    listener.until(lambda: kept <= listener.told.keys(), lambda: listener.send("subscribe"))
    for name in kept:
        told = listener.told[name]
        exact(PARAMS[name], told[0] if len(told) == 1 else list(told), f"told after the storm, {name}")
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for name, value in END.items():
        sender.sendto(build_msg(ROOT + name, [value]).dgram, ("127.0.0.1", daemon.port))

    def applied() -> bool:
        return all(
            name in listener.told and exact(PARAMS[name], listener.told[name]) == exact(PARAMS[name], value)
            for name, value in END.items()
        )

    listener.until(applied, lambda: None)
    listener.until(lambda: listener.told.get("status/chunk", (0,))[0] > 0, lambda: None)  # type: ignore[operator]
    before = listener.told["status/chunk"]
    listener.until(lambda: listener.told["status/chunk"] > before, lambda: None)  # it paints
    assert listener.told["status/failed"] == (0,)
    sender.close()
    listener.socket.close()


@pytest.mark.parametrize("count", [2_500, pytest.param(100_000, marks=pytest.mark.faults)])
def test_any_packet_leaves_the_show_running_and_right(count: int, tmp_path: Path, record_property: Callable[..., None]) -> None:
    options = ("--input", "test:64x64", "--set", f"takes.dir={tmp_path}", "--set", "state.dir=off")
    with running(*options) as daemon:
        memory = bombard(daemon, count, seed=count)
        check_it_still_plays(daemon)
        record_property("memory_mb", memory)
        print(f"{count} packets; memory in MB: {', '.join(f'{mb:.0f}' for mb in memory)}")
        broken = next((i for i, line in enumerate(daemon.log) if "Traceback" in line), None)
        assert broken is None, "".join(daemon.log[broken - 1 : broken + 40])
        assert max(memory[1:]) - memory[1] < GROWTH_MB
