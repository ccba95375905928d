"""A show under fault: camera -> daemon -> recorder, each a process; beside it the control hop, camera -> recorder.

The control hop has no daemon in it. What it shows as a gap is the machine's doing: the tests run on machines that do other
things too.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import build_msg
from safetensors.torch import save_file
from support.daemon import Daemon
from support.ndi_client import unique_name
from support.waiting import eventually

from faults.bystanders import FAR_S, Camera, Recorder
from sdv2_live.config.profiles import PROFILES
from sdv2_live.control.params import PARAMS
from sdv2_live.io.files.sink import FileSink
from sdv2_live.io.synthetic import TestSource

ROOT = "/sdv2/"
BLACK = 8.0  # mean of a picture, 0..255, below which it is black
# Far from every default, so that one that is lost shows.
VALUES: dict[str, Any] = {
    "prompt": "golden hour over a wide sea",
    "prompt/2/text": "underwater",
    "prompt/2/weight": 0.25,
    "cue_prompt": "a thermal camera image",
    "seed": 1234,
    "noise_scale": 0.35,
    "steps": "400",
    "mix": 0.875,
    "transition_chunks": 2,
    "adapt_sink_threshold": 0.125,
}
LADDER = ",".join(["99%"] * 99)  # steps that change nothing at 64x64: the engine starts again at once, however often it ends
SETTINGS = (
    *("faults.hold_s=0.2", "faults.fade_s=0.3", "faults.hang_s=1.5", "faults.load_s=60"),
    *("faults.crashes=1", f"faults.ladder={LADDER}", "faults.retry_s=1"),
    *("ndi.receiver_timeout_s=1", "osc.tcp=true", "takes.min_free_mb=0", "oscquery.announce=false"),
    *("dmx.enabled=true", "dmx.address=400"),
)


class Desk:
    """A controller: sends, is told of everything, and keeps the newest of it."""

    def __init__(self, port: int) -> None:
        self.told: dict[str, tuple[Any, ...]] = {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        self.socket.bind(("127.0.0.1", 0))
        self.server = ("127.0.0.1", port)
        self._open = True
        self._thread = threading.Thread(target=self._hear, daemon=True)
        self._thread.start()

    def _hear(self) -> None:
        self.socket.settimeout(0.1)
        while self._open:
            try:
                heard = OscMessage(self.socket.recv(65536))
            except TimeoutError:
                continue
            self.told[heard.address.removeprefix(ROOT)] = tuple(heard.params)

    def send(self, name: str, *values: Any) -> None:
        self.socket.sendto(build_msg(ROOT + name, list(values)).dgram, self.server)

    def values(self) -> dict[str, tuple[Any, ...]]:
        """Every parameter that is kept, as the daemon says it now."""
        kept = {name for name, spec in PARAMS.items() if spec.kept}
        for name in kept:
            self.told.pop(name, None)
        until = time.monotonic() + FAR_S
        while not kept <= self.told.keys():
            assert time.monotonic() < until, f"not told of {sorted(kept - self.told.keys())}"
            self.send("subscribe")  # whatever came before, also an `unsubscribe`
            deadline = time.monotonic() + 2
            while not kept <= self.told.keys() and time.monotonic() < deadline:
                time.sleep(0.02)
        return {name: self.told[name] for name in kept}

    def close(self) -> None:
        self._open = False
        self._thread.join()
        self.socket.close()


class Rig:
    """All of it, running."""

    def __init__(self, daemon: Callable[..., Daemon] = Daemon) -> None:
        with ExitStack() as opened:  # a start that fails leaves nothing running
            self._start(daemon, opened)
            self._opened = opened.pop_all()

    def _start(self, daemon: Callable[..., Daemon], opened: ExitStack) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sdv2-faults-"))
        opened.callback(shutil.rmtree, self.folder, ignore_errors=True)
        (self.folder / "presets").mkdir()
        self.write_preset("good", "params: {noise_scale: 0.35}")
        self.clip = self.folder / "clip.mp4"  # the backup input
        self.write_clip(self.clip)
        self.lora = self.folder / "plain.safetensors"
        self.write_lora(self.lora)
        folders = (f"{key}.dir={self.folder / key}" for key in ("takes", "presets", "state", "timeline"))
        settings = [part for setting in (*SETTINGS, *folders) for part in ("--set", setting)]
        self.camera = Camera(unique_name("camera"))
        opened.callback(self.camera.end)
        self.control = Camera(unique_name("control"))
        opened.callback(self.control.end)
        backup = ("--set", f"input.backup=file:{self.clip}", "--set", f"model.loras={self.lora}")
        self.daemon = daemon("--input", f"ndi:{self.camera.name}", *settings, *backup)
        opened.callback(self._end_daemon)
        self.desk = Desk(self.daemon.port)
        opened.callback(self.desk.close)
        self.output, self.beside = Recorder(self.daemon.output), Recorder(self.control.name)
        opened.callback(self.output.close)
        opened.callback(self.beside.close)
        self.http = self.daemon.http()
        self.output.ready()
        self.beside.ready()
        self.painting()
        self.set(VALUES)
        self.painting(3)

    def write_preset(self, name: str, params: str) -> None:
        (self.folder / "presets" / f"01-{name}.yaml").write_text(f"name: {name}\n{params}\n")

    def write_clip(self, path: Path) -> None:
        """Two seconds of the test card."""
        with TestSource(64, 96, realtime=False) as card, FileSink(path) as sink:
            for _ in range(60):
                frame = card.read(0)
                assert frame is not None
                sink.send(frame)

    def write_lora(self, path: Path) -> None:
        """One that changes nothing, in the engine as one of its weights files."""
        width = PROFILES["tiny"].dit.dim
        key = "diffusion_model.blocks.0.self_attn.q"
        save_file({f"{key}.lora_A.weight": torch.zeros(1, width), f"{key}.lora_B.weight": torch.zeros(width, 1)}, path)

    @property
    def pid(self) -> int:
        return self.daemon.process.pid

    @property
    def engine_pid(self) -> int:
        """The engine's process, 0 while there is none."""
        children = Path(f"/proc/{self.pid}/task").glob("*/children")
        pids = [int(pid) for child in children for pid in child.read_text().split()]
        return next((pid for pid in pids if b"spawn_main" in command_of(pid)), 0)

    def metric(self, name: str) -> float:
        """A counter or gauge of the metrics page, 0 while it is not there."""
        return metric(self.http, name)

    def chunks(self) -> float:
        return self.metric("chunks_total")

    def painting(self, more: int = 2) -> int:
        """Wait for so many more chunks; when the last was seen to be painted."""
        until = self.chunks() + more
        eventually("the engine to paint", lambda: self.alive() and self.chunks() >= until, FAR_S)
        return time.monotonic_ns()

    def alive(self) -> bool:
        assert self.daemon.process.poll() is None, "the daemon ended:\n" + "".join(self.daemon.log[-30:])
        return True

    def set(self, values: Mapping[str, Any]) -> None:
        """Send values until the daemon has them all: UDP may lose a packet. Several of one parameter as a tuple."""
        wanted = {name: value if isinstance(value, tuple) else (value,) for name, value in values.items()}

        def there() -> bool:
            for name, value in wanted.items():
                self.desk.send(name, *value)
            now = self.desk.values()
            return all(shown(now[name]) == shown(value) for name, value in wanted.items())

        eventually("the values to be taken", there, FAR_S)

    def close(self) -> None:
        self._opened.close()

    def _end_daemon(self) -> None:
        process = self.daemon.process
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            assert process.wait(30) == 0, "".join(self.daemon.log[-30:])
        finally:
            process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def metric(http: str, name: str) -> float:
    """A counter or gauge of a show's metrics page, 0 while it is not there."""
    with urllib.request.urlopen(http.rstrip("/") + "/metrics", timeout=FAR_S) as answer:
        found = re.search(rf"^sdv2_{name} (\S+)$", answer.read().decode(), re.M)
    return float(found[1]) if found else 0.0


def shown(values: tuple[Any, ...]) -> tuple[str, ...]:
    """OSC carries numbers in 32 bits, and timesteps one by one."""
    parts = [part for value in values for part in (value.split(",") if isinstance(value, str) else [value])]
    return tuple(f"{part:.5g}" if isinstance(part, float) else str(part) for part in parts)


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def send_signal(pid: int, number: signal.Signals) -> None:
    """To a process that may have ended."""
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
