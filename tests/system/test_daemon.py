"""The daemon's engine is killed on stage: what a receiver sees, what a controller reads, what a take holds."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import ThreadingOSCUDPServer
from support.daemon import Daemon, running
from support.ndi_client import ClientReceiver
from support.systems import ENDS, KILLED, kill
from support.waiting import DEADLINE_S, eventually

from sdv2_live.config.load import load_config
from sdv2_live.show.show import Show
from sdv2_live.system.process import how_it_ended
from sdv2_live.takes.replay import Outcome, Take, replay


class Controller:
    """Hears the daemon's feedback, and keeps the newest arguments of every address."""

    def __init__(self) -> None:
        self.heard: dict[str, tuple[Any, ...]] = {}
        dispatcher = Dispatcher()
        dispatcher.set_default_handler(lambda address, *values: self.heard.__setitem__(address, values))
        self._server = ThreadingOSCUDPServer(("127.0.0.1", 0), dispatcher)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __getitem__(self, address: str) -> Any:
        return self.heard.get(f"/sdv2/{address}", (None,))[0]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def controller() -> Iterator[Controller]:
    one = Controller()
    try:
        yield one
    finally:
        one.close()


def test_killed_on_stage() -> None:
    """From real NDI and OSC clients: painted, killed, the input in its place at the same size, painted again as before."""
    with controller() as desk, running("--input", "test:96x128", "--set", f"osc.subscribers=127.0.0.1:{desk.port}") as daemon:
        receiver = ClientReceiver(f"{socket.gethostname().upper()} ({daemon.output})")
        try:
            daemon.osc("/sdv2/seed", "7")
            daemon.osc("/sdv2/prompt", "a thermal camera image")
            receiver.picture(_painted, lambda: None)
            eventually("the status", lambda: desk["info/engine"] == "running" and desk["status/chunk"])
            eventually("the kernels", lambda: (desk["info/attention"], desk["info/frame_kernels"]) == ("sdpa", "torch"))
            eventually("the size", lambda: desk["info/painted_size"] == "64x64")
            kill(int(desk["status/engine_pid"]))
            eventually("the restart to be told", lambda: desk["status/restarts"] == 1)
            seen: list[np.ndarray] = []

            def looking(picture: np.ndarray) -> bool:
                seen.append(picture)
                return desk["info/engine"] == "running" and len(seen) > 30

            receiver.picture(looking, lambda: None)
            assert {picture.shape for picture in seen} == {(64, 64, 4)}
            assert min(picture[..., :3].mean() for picture in seen) > 20  # the test card and its paintings are well above
            assert (desk["seed"], desk["prompt"]) == (7, "a thermal camera image")
            assert how_it_ended(KILLED) in "".join(daemon.log)
        finally:
            receiver.close()


def _painted(picture: np.ndarray) -> bool:
    return picture.shape == (64, 64, 4)


def test_a_show_that_is_killed_takes_its_engine_with_it_and_the_next_goes_on(tmp_path: Path) -> None:
    with controller() as desk:
        options = ("--input", "test:64x64", "--set", f"osc.subscribers=127.0.0.1:{desk.port}", "--set", f"state.dir={tmp_path}")
        first = Daemon(*options)
        engine = eventually("an engine", lambda: desk["info/engine"] == "running" and int(desk["status/engine_pid"]))
        first.osc("/sdv2/seed", "7")
        journal = eventually("the journal", lambda: list(tmp_path.glob("*.json")))[0]
        eventually("the seed to be kept", lambda: '"seed": 7' in journal.read_text(encoding="utf-8"))
        kill(first.process.pid)
        assert first.process.wait(DEADLINE_S) == KILLED
        eventually("its engine to end", lambda: not psutil.pid_exists(engine))
        desk.heard.clear()
        with running(*options, "--set", f"osc.port={first.port}", "--resume", output=first.output) as second:
            assert second.port == first.port
            eventually("the seed of the first", lambda: desk["seed"] == 7)


@pytest.mark.parametrize("end", ENDS)
def test_an_end_while_the_models_are_loaded_does_not_wait_for_them(end: Callable[[subprocess.Popen[str]], None]) -> None:
    daemon = Daemon("--input", "test:64x64")
    end(daemon.process)
    assert daemon.process.wait(DEADLINE_S) == 0
    eventually("the last line", lambda: "painted" in daemon.lines[-1])
    assert "Traceback" not in "".join(daemon.log)


@pytest.mark.slow
@pytest.mark.parametrize("overlap", ["off", "on"])
def test_a_take_that_outlives_the_engine_is_replayed_bit_by_bit(tmp_path: Path, overlap: str) -> None:
    keys = ("model.profile=tiny", "model.device=cpu", "model.threads=1", "model.prompt_cache=off", "video.size=64x64")
    parts = ("input.source=test:96x128", "output.sink=none", "osc.enabled=false", "state.dir=off", "takes.min_free_mb=0")
    with Show(load_config(None, [*keys, *parts, f"takes.dir={tmp_path}", f"engine.overlap={overlap}"])) as show:

        def chunks(more: int) -> None:
            until = show.counters["chunks"] + more
            eventually("chunks", lambda: show.counters["chunks"] >= until, 90)

        show.start()
        chunks(3)
        show.store.set_many({"record": True, "seed": 9, "prompt": "a red fox", "transition_chunks": 6}, "test")
        chunks(5)
        kill(show.engine.state().pid)
        chunks(8)
        show.store.set("prompt", "a green forest", "test")
        chunks(8)
    (folder,) = tmp_path.iterdir()
    take = Take(folder)
    assert take.problem == ""
    assert replay(take, check=True) == Outcome(take.chunks)
