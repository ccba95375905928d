"""What the MIDI tests share: a daemon's OSC side on loopback, and bridges that are stopped again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.osc import LAST
from support.waiting import DEADLINE_S, eventually

from sdv2_live.config.schema_files import config_dir
from sdv2_live.control.macros import Macros
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.store import ParamStore


@pytest.fixture
def store() -> ParamStore:
    return ParamStore(macros=Macros(PresetLibrary(config_dir() / "presets")))


@pytest.fixture
def server(store: ParamStore) -> Iterator[OscServer]:
    with OscServer(store, port=0) as server:
        yield server
    assert server.counters.failures == 0


@pytest.fixture
def bridge_of(server: OscServer, wait: Callable[[Callable[[], bool]], None]) -> Iterator[Callable[..., Any]]:
    """Starts a bridge between ports and the server, and waits until it knows the daemon's values. Stopped at the end."""
    from support.fake_midi import read

    from sdv2_live.midi.bridge import Bridge

    running: list[tuple[Bridge, threading.Thread]] = []

    def start(ports: Any, text: str, **options: Any) -> Any:
        bridge = Bridge(ports, read(text), port=server.port, **options)
        thread = threading.Thread(target=bridge.run)
        running.append((bridge, thread))
        thread.start()
        wait(lambda: bridge.surface.mirror.value(LAST.removeprefix("/sdv2/")) is not None and bridge.device.connected)
        return bridge

    yield start
    for bridge, thread in running:
        bridge.stop()
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


@pytest.fixture
def wait() -> Callable[[Callable[[], bool]], None]:
    """Waits until a condition is true; fails when it does not become so."""

    def until(condition: Callable[[], bool]) -> None:
        eventually("the condition", condition)

    return until
