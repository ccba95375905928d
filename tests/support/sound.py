"""A camera with sound, and somebody who listens.

The camera is a client that others wrote. As a receiver that client loses sound while other threads work (it keeps the
interpreter's lock while it waits), so sound is listened to with the SDK itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import count

import numpy as np

from sdv2_live.io.ndi.lib import NdiSourceInfo, destroy, initialise, list_sources, sdk_source
from sdv2_live.io.ndi.settings import NdiSettings
from support.ndi_client import ClientSender, unique_name
from support.waiting import eventually

HEIGHT, WIDTH, FPS = 32, 64, 30
BLOCK = 1600  # samples a picture at 48 kHz
FLASH_EVERY = 48  # pictures
FINE, COARSE = 256, FLASH_EVERY * BLOCK // 256


def digits(number: np.ndarray) -> np.ndarray:
    """Sound whose every sample says its number, from 0 at a flash to the next one: NDI sends about 16 bits, so two digits."""
    return np.stack([number % FINE / FINE, number // FINE % COARSE / COARSE]) - 0.5


def numbers(blocks: list[tuple[float, np.ndarray]]) -> np.ndarray:
    """Back from `digits` of all blocks to the numbers."""
    fine, coarse = np.concatenate([samples for _, samples in blocks], axis=1) + 0.5
    return np.round(coarse * COARSE).astype(int) * FINE + np.round(fine * FINE).astype(int)


def whole(blocks: list[tuple[float, np.ndarray]]) -> bool:
    """Every sample is there, once and in order."""
    return set(np.diff(numbers(blocks)) % (FLASH_EVERY * BLOCK)) == {1}


def tone(number: np.ndarray) -> np.ndarray:
    """100 Hz."""
    wave = 0.5 * np.sin(2 * np.pi * 100 * number / 48_000)
    return np.stack([wave, -wave])


def level(value: float) -> Callable[[np.ndarray], np.ndarray]:
    """A sound that is nothing but this value, so that its every sample says whose it is."""
    return lambda number: np.full((2, number.size), value)


class Camera:
    """Sends a picture and the sound that belongs to it, 30 times a second; some pictures are white."""

    def __init__(
        self, sound: Callable[[np.ndarray], np.ndarray] = digits, name: str = "", flash_every: int = FLASH_EVERY
    ) -> None:
        self._sound, self._flash_every = sound, flash_every
        self.name = name or unique_name("camera")
        self.sender = ClientSender(self.name, HEIGHT, WIDTH, sound=BLOCK)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        begin = time.monotonic()
        for index in count():
            if self._stop.wait(max(begin + index / FPS - time.monotonic(), 0)):
                return
            self.sender.send_sound(self._sound(index * BLOCK + np.arange(BLOCK)))
            level = 235 if index % self._flash_every == 0 else 30
            self.sender.send(np.full((HEIGHT, WIDTH, 4), level, np.uint8))

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.sender.close()


class Listener:
    """Takes everything that one source sends, on a thread of its own, with the times at which it was sent."""

    def __init__(self, full_name: str) -> None:
        self._ndi = initialise(NdiSettings())
        self.pictures: list[tuple[float, int]] = []  # seconds, brightness of the first pixel
        self.sound: list[tuple[float, np.ndarray]] = []  # seconds, (channels, n)
        self.said: list[str] = []  # metadata
        info = eventually(full_name, lambda: [s for s in list_sources(NdiSettings(), 0.2) if s.name == full_name])[0]
        create = self._ndi.RecvCreateV3()
        create.source_to_connect_to = sdk_source(self._ndi, NdiSourceInfo(info.name, info.address))
        create.color_format = self._ndi.RECV_COLOR_FORMAT_RGBX_RGBA
        self._made_at = time.monotonic()
        self._receiver = self._ndi.recv_create_v3(create)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        ndi = self._ndi
        while not self._stop.is_set():
            kind, video, audio, metadata = ndi.recv_capture_v2(self._receiver, 100)
            if kind == ndi.FRAME_TYPE_VIDEO:
                self.pictures.append((video.timestamp * 1e-7, int(video.data.flat[0])))
                ndi.recv_free_video_v2(self._receiver, video)
            elif kind == ndi.FRAME_TYPE_AUDIO:
                self.sound.append((audio.timestamp * 1e-7, np.array(audio.data)))
                ndi.recv_free_audio_v2(self._receiver, audio)
            elif kind == ndi.FRAME_TYPE_METADATA:
                self.said.append(metadata.data)
                ndi.recv_free_metadata(self._receiver, metadata)

    def hear(self, blocks: int) -> list[tuple[float, np.ndarray]]:
        """The next so many blocks of sound; what came before is forgotten."""
        self.sound.clear()
        self.pictures.clear()
        eventually(f"{blocks} blocks of sound", lambda: len(self.sound) >= blocks, 60)
        return self.sound[:blocks]

    def hear_whole(self, blocks: int) -> list[tuple[float, np.ndarray]]:
        """So many blocks in a row without a fault. On a busy machine the picture's delay may change, and some sound with it."""
        heard = eventually(f"{blocks} whole blocks of sound", lambda: list(filter(whole, [self.hear(blocks)])), 60)
        return heard[0]

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        destroy(self._ndi, "recv_destroy", self._made_at, self._receiver)
