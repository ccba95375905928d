"""A show under Wine, played by programs of Linux in the same network."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_message_builder import build_msg
from pythonosc.osc_server import ThreadingOSCUDPServer
from pythonosc.tcp_client import SimpleTCPClient
from support.daemon import Daemon
from support.places import TOOLS
from support.systems import WINDOWS
from support.waiting import DEADLINE_S, eventually

CACHE = os.environ.get("XDG_CACHE_HOME", "~/.cache")
WINE = Path(os.environ.get("SDV2_WINDOWS", f"{CACHE}/sdv2-live-windows")).expanduser()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(WINDOWS or not (WINE / "ready").exists(), reason=f"there is no Wine in {WINE} (tools/windows/setup.sh)"),
]


class WineDaemon(Daemon):
    """The daemon as Windows' Python runs it."""

    def open(self, command: list[str]) -> subprocess.Popen[str]:
        """As `Daemon.open`."""
        wine = ["bash", str(TOOLS / "windows/wine.sh"), str(WINE), "python", *command[1:]]
        own = os.environ | {"NETWORK": "caller"}
        return subprocess.Popen(wine, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=own)


@pytest.fixture(scope="module")
def daemon() -> Iterator[WineDaemon]:
    daemon = WineDaemon("--input", "test:64x64", "--set", "osc.tcp=true")
    yield daemon
    daemon.process.kill()  # and all that is in its namespace
    daemon.process.wait(DEADLINE_S)


@pytest.fixture
def heard(daemon: WineDaemon) -> Iterator[dict[str, Any]]:
    """The newest value that was heard of each address."""
    heard: dict[str, Any] = {}
    dispatcher = Dispatcher()
    dispatcher.set_default_handler(lambda address, *values: heard.__setitem__(address, values[0] if values else None))
    with ThreadingOSCUDPServer(("127.0.0.1", 0), dispatcher) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        daemon.client.send_message("/sdv2/subscribe", server.server_address[1])
        eventually("all values", lambda: "/sdv2/noise_scale" in heard)
        yield heard
        server.shutdown()


def value(daemon: WineDaemon, name: str) -> Any:
    """What OSCQuery says of a parameter."""
    with urllib.request.urlopen(f"{daemon.http()}/sdv2/{name}?VALUE", timeout=DEADLINE_S) as answer:
        return json.load(answer)["VALUE"][0]


def test_it_is_set_asked_and_followed(daemon: WineDaemon, heard: dict[str, Any]) -> None:
    daemon.client.send_message("/sdv2/prompt", "a Füchs \u6f22")
    eventually("the prompt", lambda: value(daemon, "prompt") == "a Füchs \u6f22")
    daemon.client.send_message("/sdv2/noise_scale", 7.5)
    eventually("what became another value", lambda: heard["/sdv2/noise_scale"] == 1.0)
    for framing, sent in (("1.0", 0.25), ("1.1", 0.75)):
        with SimpleTCPClient("127.0.0.1", daemon.port, mode=framing) as tcp:
            tcp.send_message("/sdv2/noise_scale", sent)
            eventually("the value sent by TCP", lambda sent=sent: value(daemon, "noise_scale") == sent)


def test_it_outlives_ten_thousand_messages_a_second(daemon: WineDaemon) -> None:
    """Wine's network loses some of them: it is the next value that must arrive."""
    moves = [build_msg("/sdv2/noise_scale", [number / 1000]).dgram for number in range(1000)]
    begin, sent = time.monotonic(), 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
        while (passed := time.monotonic() - begin) < 2:
            while sent < passed * 10_000:
                flood.sendto(moves[sent % 1000], ("127.0.0.1", daemon.port))
                sent += 1
            time.sleep(0.001)

    def arrived() -> bool:
        daemon.client.send_message("/sdv2/noise_scale", 0.875)
        return bool(value(daemon, "noise_scale") == 0.875)

    eventually("the next value", arrived)
