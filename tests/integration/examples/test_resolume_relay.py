"""The relay between Resolume and the daemon: real messages, and addresses that the daemon knows."""

from __future__ import annotations

import importlib.util
import re
import threading
from types import ModuleType

import pytest
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import ThreadingOSCUDPServer
from pythonosc.udp_client import SimpleUDPClient
from support.places import EXAMPLES, MANUAL
from support.waiting import eventually

from sdv2_live.control.osc.addresses import Setting, resolve

FOLDER = EXAMPLES / "resolume"
LOCAL = ("127.0.0.1", 0)


@pytest.fixture(scope="module")
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("resolume_relay", FOLDER / "relay.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_target_is_an_address_of_the_daemon(module: ModuleType) -> None:
    assert [*module.TABLE] == [f"/composition/dashboard/link{number}" for number in range(1, 9)]
    for target in module.TABLE.values():
        assert isinstance(resolve(target, (0.5,)), Setting)


def test_addresses_of_the_manual_are_the_daemons() -> None:
    text = (MANUAL / "resolume.md").read_text(encoding="utf-8")
    addresses = set(re.findall(r"`(/sdv2/[\w/]+)", text)) - {"/sdv2/subscribe"}
    assert len(addresses) > 4
    for address in addresses:
        assert resolve(address, (1.0,)) is not None


def test_messages_are_handed_on(module: ModuleType) -> None:
    got: list[tuple[str, float]] = []
    dispatcher = Dispatcher()
    dispatcher.set_default_handler(lambda address, *values: got.append((address, values[0])))
    with ThreadingOSCUDPServer(LOCAL, dispatcher) as daemon, module.relay(LOCAL, daemon.server_address) as relay:
        threads = [threading.Thread(target=server.serve_forever) for server in (daemon, relay)]
        for thread in threads:
            thread.start()
        try:
            resolume = SimpleUDPClient(*relay.server_address)
            resolume.send_message("/composition/tempocontroller/tempo", 0.3)  # not in the table
            resolume.send_message("/composition/dashboard/link1", 0.25)
            eventually("the fader", lambda: got)
        finally:
            for server, thread in zip((daemon, relay), threads, strict=True):
                server.shutdown()
                thread.join()
    assert got == [("/sdv2/noise_scale/norm", 0.25)]
