"""The daemon as its users meet it: a process of its own, real NDI from and to an independent client, OSC from another."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from support.daemon import Daemon, running
from support.ndi_client import unique_name
from support.pictures import assert_like, bars, with_fourth
from support.shows import PICTURE, raw, sending, watching
from support.waiting import DEADLINE_S, eventually


@pytest.fixture(scope="module")
def source_name() -> str:
    return unique_name("show-in")


@pytest.fixture(scope="module")
def daemon(source_name: str) -> Iterator[Daemon]:
    with running("--input", f"ndi:{source_name}", "--set", "ndi.receiver_timeout_s=1") as daemon:
        yield daemon


FLIPPED = PICTURE[:, ::-1].copy()


def painted(pixels: np.ndarray) -> bool:
    return pixels.shape == (64, 64, 4)


def test_the_show(daemon: Daemon, source_name: str) -> None:
    """One show from beginning to end: paint, bypass, colours, freeze, wrong messages, source gone and back, other size."""
    with sending(source_name, PICTURE) as sender, watching(daemon) as receiver:
        pump = lambda: sender.send(with_fourth(PICTURE, "BGR"))  # noqa: E731
        first = receiver.picture(painted, pump)
        assert first[..., :3].std() > 2

        daemon.osc("/sdv2/bypass", "1")
        passed = receiver.picture(raw, pump)
        assert_like(passed[..., :3], PICTURE)

        daemon.osc("/sdv2/freeze", "1")
        for _ in range(5):  # pictures on their way overtake the message
            receiver.picture(raw, pump)
        flip = lambda: sender.send(with_fourth(FLIPPED, "BGR"))  # noqa: E731
        for _ in range(10):
            assert_like(receiver.picture(raw, flip)[..., :3], PICTURE)  # held: the flip does not show
        daemon.osc("/sdv2/freeze", "0")
        receiver.picture(lambda p: raw(p) and abs(int(p[48, 4, 0]) - int(FLIPPED[48, 4, 0])) < 30, flip)
        daemon.osc("/sdv2/bypass", "0")
        receiver.picture(painted, pump)

        for address, values in (("/sdv2/nonsense", ("1",)), ("/sdv2/seed", ("no number",)), ("/elsewhere", ())):
            daemon.osc(address, *values)
        eventually("the refusals in the log", lambda: sum("sdv2" in line or "elsewhere" in line for line in daemon.log) > 2)
        daemon.osc("/sdv2/prompt", "a thermal camera image")
        daemon.osc("/sdv2/seed", "7")
        daemon.osc("/sdv2/noise_scale", "0.4")
        daemon.osc("/sdv2/steps", "600")
        daemon.osc("/sdv2/reset")
        before = receiver.picture(painted, pump)
        receiver.picture(lambda p: painted(p) and not np.array_equal(p, before), pump)

    assert daemon.process.poll() is None
    taller = bars(128, 96)
    with sending(source_name, taller) as sender, watching(daemon) as receiver:  # back, in another shape
        pump = lambda: sender.send(with_fourth(taller, "BGR"))  # noqa: E731
        daemon.osc("/sdv2/bypass", "1")
        back = receiver.picture(lambda p: p.shape == (128, 96, 4), pump)
        assert_like(back[..., :3], taller)
        daemon.osc("/sdv2/bypass", "0")
        receiver.picture(painted, pump)


def test_the_metrics_page_counts_along(daemon: Daemon, source_name: str) -> None:
    page = daemon.http() + "/metrics"

    def samples() -> list[Sample]:
        with urllib.request.urlopen(page, timeout=DEADLINE_S) as answer:
            return [one for family in text_string_to_metric_families(answer.read().decode()) for one in family.samples]

    def scraped() -> dict[str, float]:
        return {one.name: one.value for one in samples() if not one.labels}

    def queues(what: str) -> dict[str, float]:
        return {one.labels["queue"]: one.value for one in samples() if one.name == f"sdv2_queue_{what}"}

    first = scraped()
    with sending(source_name, PICTURE) as sender:

        def counted(what: str, more: int) -> bool:
            sender.send(with_fourth(PICTURE, "BGR"))
            return scraped().get(f"sdv2_{what}", 0) >= first.get(f"sdv2_{what}", 0) + more

        eventually("frames", lambda: counted("frames_in_total", 1))
        eventually("chunks", lambda: counted("chunks_total", 3))
        eventually("their times", lambda: counted("chunk_seconds_count", 3))
        eventually("the engine's own queue", lambda: "prompts" in queues("length"))
    daemon.osc("/sdv2/seed", "7")
    daemon.osc("/sdv2/nonsense", "7")
    eventually("the messages to count", lambda: scraped()["sdv2_osc_messages_total"] >= first["sdv2_osc_messages_total"] + 2)
    now = scraped()
    assert now["sdv2_osc_refused_total"] == first["sdv2_osc_refused_total"] + 1
    lengths, bounds = queues("length"), queues("bound")
    assert {"osc", "osc_feedback", "oscquery", "input_main", "intake", "playout", "recorder"} < lengths.keys()
    assert all(length <= bounds[name] for name, length in lengths.items())


def test_a_port_in_use_is_one_sentence() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "sdv2_live", "run", "--input", "test", "--output", "none", "--set", f"osc.port={port}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert str(port) in last
    assert "Traceback" not in done.stderr
