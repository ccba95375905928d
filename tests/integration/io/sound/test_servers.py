"""Real sound servers without hardware: JACK's dummy driver by PortAudio, and PulseAudio's null output by its loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.places import ROOT
from support.sound_servers import Jack, why_no_jack
from support.waiting import eventually

# In a process of its own: the clients of both servers look at their environment when they are loaded.
LISTEN = """
import sys, threading, time
import numpy as np
from sdv2_live.io.sound.process import SoundProcess
from sdv2_live.live.sound_card import SoundCard

if __name__ == "__main__":
    blocks = []
    with SoundCard(sys.argv[1], lambda: SoundProcess(sys.argv[1], ""), blocks.append, silent_s=float(sys.argv[2])) as card:
        card.start()
        for wish in sys.stdin:
            lost, count, until = int(wish), len(blocks), time.monotonic() + 60
            while card.lost < lost or len(blocks) < count + 15:
                if time.monotonic() > until:
                    sys.exit(f"heard nothing: {card.lost}, {card.status}")
                threading.Event().wait(0.05)
            loudest = max(np.abs(block.samples).max() for block in blocks[count:])
            print(card.lost, card.status, blocks[-1].samples.shape[0], round(float(loudest), 2), sep=", ", flush=True)
"""


class Listener:
    """Listens as a show does, in an environment."""

    def __init__(self, folder: Path, kind: str, environment: dict[str, str]) -> None:
        script = folder / "listen.py"
        script.write_text(LISTEN, encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, script, kind, {"card": "1", "loopback": "4"}[kind]],  # PulseAudio may begin with a pause of 2 s
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def hear(self, lost: int = 0) -> str:
        """What is heard in the next blocks after so many losses: losses, name, channels, loudest sample."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{lost}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(30) == 0


@pytest.fixture
def jack() -> Iterator[Jack]:
    if why_no_jack():
        pytest.skip(why_no_jack())
    server = Jack()
    yield server
    server.close()


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[str]:
    if shutil.which("pulseaudio") is None:
        pytest.skip("pulseaudio is not installed")
    if find_spec("soundcard") is None:
        pytest.skip("the package soundcard is not installed")
    socket = tmp_path / "socket"
    modules = [
        "module-null-sink sink_name=speakers sink_properties=device.description=Speakers",
        f"module-native-protocol-unix socket={socket} auth-anonymous=1",
    ]
    command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
    for module in modules:
        command += ["-L", module]
    environment = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually("the sound server", socket.exists)
        yield f"unix:{socket}"
    finally:
        server.terminate()
        server.wait()


def test_a_card_of_a_server_that_is_killed_and_comes_back_is_heard_again(jack: Jack, tmp_path: Path) -> None:
    listener = Listener(tmp_path, "card", jack.environment)
    assert listener.hear() == "0, card:jack, 2, 0.0"
    jack.end()
    jack.start()
    assert listener.hear(lost=1) == "1, card:jack, 2, 0.0"
    listener.close()


PLAY = """
import numpy, soundcard
soundcard.default_speaker().play(0.5 * numpy.sin(numpy.arange(48000 * 20) * 0.05), samplerate=48000)
"""


def test_what_the_machine_plays_is_heard(pulse: str, tmp_path: Path) -> None:
    environment = {"PULSE_SERVER": pulse}
    player = subprocess.Popen([sys.executable, "-c", PLAY, "player"], env=os.environ | environment)
    listener = Listener(tmp_path, "loopback", environment)
    eventually("the sound", lambda: listener.hear() == "0, loopback:Monitor of Speakers, 2, 0.5")
    listener.close()
    player.kill()
    player.wait()
