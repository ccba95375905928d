"""A real sound server without hardware: JACK's dummy driver."""

from __future__ import annotations

import os
import shutil
import subprocess

from sdv2_live.errors import SoundError
from sdv2_live.io.sound.lib import load_portaudio


def why_no_jack() -> str:
    """Why there can be none here; empty where there can."""
    if shutil.which("jackd") is None:
        return "jackd is not installed"
    try:
        load_portaudio()
    except SoundError as error:
        return str(error)
    return ""


class Jack:
    """A JACK server of its own name, with two inputs that are silent."""

    def __init__(self) -> None:
        self.name = f"sdv2-{os.getpid()}"
        self.environment = {"JACK_DEFAULT_SERVER": self.name, "JACK_NO_START_SERVER": "1"}  # of who listens to it
        self.start()

    def start(self) -> None:
        command = ["jackd", "--no-realtime", "-n", self.name, "-d", "dummy", "-r", "48000", "-p", "480"]
        self._server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def end(self) -> None:
        """Kill it. What it had in shared memory stays there."""
        self._server.kill()
        self._server.wait()

    def close(self) -> None:
        """Have it end by itself."""
        self._server.terminate()
        self._server.wait()
