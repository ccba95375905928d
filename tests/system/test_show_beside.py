"""What passes beside the picture, through the daemon as its users start it: sound, tally, and the camera when it is killed."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import numpy as np
from support.daemon import Daemon
from support.ndi_client import ClientReceiver
from support.sound import Camera, Listener
from support.waiting import DEADLINE_S, eventually


def bright(pixels: np.ndarray) -> bool:
    return bool(pixels[..., :3].min() > 180)


def dark(pixels: np.ndarray) -> bool:
    return bool(pixels[..., :3].max() < 60)


def test_sound_tally_and_the_camera_when_the_daemon_is_killed() -> None:
    with ExitStack() as closing:
        camera = Camera()
        closing.callback(camera.close)
        daemon = Daemon("--input", f"ndi:{camera.sender.full_name}", "--set", "params.bypass=true")
        closing.callback(daemon.process.wait, DEADLINE_S)
        closing.callback(daemon.process.kill)
        name = f"{socket.gethostname().upper()} ({daemon.output})"
        listener = Listener(name)
        closing.callback(listener.close)
        receiver = ClientReceiver(name)
        closing.callback(receiver.close)

        listener.hear_whole(30)
        receiver.set_tally(True, False)
        eventually("the tally at the camera", lambda: camera.sender.tally == (True, False))
        eventually("the failover", lambda: any("receivers turn to" in line for line in daemon.log))

        daemon.process.kill()
        daemon.process.wait(DEADLINE_S)
        for seen in (bright, dark, bright):  # the camera flashes, so these are its own pictures, as they come
            receiver.picture(seen, lambda: None)
