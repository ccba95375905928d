"""A sound input in a process of its own: PortAudio aborts its process when the JACK server ends, and drivers hang.

Its pipe carries one JSON object, the input's name or why there is none, and then blocks: a header, and the samples.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import struct
import threading
from collections.abc import Callable, Mapping

import numpy as np

from sdv2_live.errors import SoundError
from sdv2_live.io.audio import AudioBlock
from sdv2_live.io.base import Port
from sdv2_live.io.sound.card import CardInput
from sdv2_live.io.sound.loopback import LoopbackInput
from sdv2_live.system.process import Connection, end_with_parent, ends_with_this, uninterrupted

OPEN_S = 20.0  # a cold disk, and a driver that looks for its cards
END_S = 5.0  # for the process to be gone after it was killed
HEADER = struct.Struct("<qII")  # captured_ns, samples a second, channels
OPENERS: Mapping[str, Callable[[str, Callable[[AudioBlock], None]], Port]] = {"card": CardInput, "loopback": LoopbackInput}


class SoundProcess(Port):
    """Listens to an input of one of the kinds of OPENERS. One thread reads; `close` is for the same.

    Args:
        kind: card or loopback.
        pattern: the input's name, or a part; empty for the default.

    Raises:
        SoundError: it cannot be opened.
    """

    def __init__(self, kind: str, pattern: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._receiver, sender = context.Pipe(duplex=False)
        self._process = context.Process(target=_listen, args=(kind, pattern, sender), name=f"sound {kind}", daemon=True)
        with uninterrupted():
            self._process.start()
        ends_with_this(self._process.pid or 0)
        sender.close()
        try:
            self.name = self._hello(f"{kind}:{pattern}" if pattern else kind)
        except SoundError:
            self.close()
            raise

    def _hello(self, asked: str) -> str:
        try:
            if not self._receiver.poll(OPEN_S):
                raise SoundError(f"{asked} does not open within {OPEN_S:g} s: its driver hangs; choose another audio.source")
            said = json.loads(self._receiver.recv_bytes())
        except (EOFError, OSError) as error:
            raise SoundError(f"{asked}: the sound library has crashed; choose another audio.source") from error
        if "error" in said:
            raise SoundError(str(said["error"]))
        return str(said["name"])

    def read(self, timeout: float) -> AudioBlock | None:
        """The next block; None when none came within `timeout` seconds. Raises SoundError when the input is gone."""
        try:
            if not self._receiver.poll(timeout):
                return None
            data = self._receiver.recv_bytes()
        except (EOFError, OSError) as error:
            raise SoundError(f"{self.name} is gone") from error
        captured_ns, rate, channels = HEADER.unpack_from(data)
        return AudioBlock(np.frombuffer(data, np.float32, offset=HEADER.size).reshape(channels, -1), rate, captured_ns)

    def close(self) -> None:
        """End the process. Idempotent."""
        if self._process.is_alive():
            self._process.kill()  # no driver is waited for
        self._process.join(END_S)
        self._receiver.close()


def _listen(kind: str, pattern: str, sender: Connection) -> None:
    """The process: sends every block until it is killed."""
    end_with_parent()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for printed in (1, 2):  # sound libraries print whatever they try
        os.dup2(nowhere, printed)
    opened = threading.Event()

    def send(block: AudioBlock) -> None:
        if opened.is_set():
            header = HEADER.pack(block.captured_ns, block.rate, len(block.samples))
            sender.send_bytes(header + np.ascontiguousarray(block.samples, np.float32).tobytes())

    try:
        source = OPENERS[kind](pattern, send)
    except SoundError as error:
        sender.send_bytes(json.dumps({"error": str(error)}).encode())
        return
    sender.send_bytes(json.dumps({"name": source.name}).encode())
    opened.set()
    threading.Event().wait()
