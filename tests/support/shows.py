"""What is sent to a daemon by NDI, and what it sends: one picture, in and out."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from support.daemon import Daemon
from support.ndi_client import ClientReceiver, ClientSender
from support.pictures import bars

HOST = socket.gethostname()


@contextmanager
def watching(daemon: Daemon) -> Iterator[ClientReceiver]:
    receiver = ClientReceiver(f"{HOST.upper()} ({daemon.output})")
    try:
        yield receiver
    finally:
        receiver.close()


@contextmanager
def sending(name: str, rgb: np.ndarray) -> Iterator[ClientSender]:
    sender = ClientSender(name, *rgb.shape[:2])
    try:
        yield sender
    finally:
        sender.close()


PICTURE = bars(96, 128)


def raw(pixels: np.ndarray) -> bool:
    return pixels.shape == (96, 128, 4)
