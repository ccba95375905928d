"""A sender in a process of its own, told on its standard input what to do: `python camera.py NAME [COUNT]`.

Each line is a JSON object of what changes from the next frame on: size [height, width], format ("UYVY" or "BGRX"), rate,
picture ("moving", "frozen", "black"), send (false: the source stays, but gives nothing), every_s (null: as the rate says),
declared (null: the rate), strays (one frame in so many is of another size, 0 for none) and sound ("none", "drums": a kick at
126 beats a minute, "nan": with samples that are no numbers). The picture is never dark, unless it is black. An empty object: all
is as at the start. COUNT: publish so many sources, with the same frames.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

import NDIlib
import numpy as np

BYTES = {"UYVY": 2, "BGRX": 4}
SAMPLES_PER_S = 48_000
BEAT_SAMPLES = SAMPLES_PER_S * 60 // 126
STRAY = [32, 48]  # the size of a stray frame
BLACK = {"UYVY": (128, 16), "BGRX": (0, 0)}  # by byte, taken in turn

USUAL: dict[str, Any] = {
    "size": [64, 96],
    "format": "UYVY",
    "rate": 30,
    "picture": "moving",
    "send": True,
    "every_s": None,
    "declared": None,
    "strays": 0,
    "sound": "none",
}


class Wish:
    """What the sender shall do, as last told."""

    def __init__(self) -> None:
        self.values = USUAL
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            news = json.loads(line)
            self.values = self.values | news if news else USUAL
        os._exit(0)  # whoever told it what to do is gone


def picture(wish: dict[str, Any], number: int) -> np.ndarray:
    """Rows of bytes (height, bytes): stripes, each 100 to 220 bright, that move unless the picture shall not."""
    height, width = wish["size"]
    count = width * BYTES[wish["format"]]
    if wish["picture"] == "black":
        return np.resize(np.array(BLACK[wish["format"]], np.uint8), (height, count + count % 2))[:, :count].copy()
    at = number if wish["picture"] == "moving" else 0
    stripes = 100 + (np.add.outer(np.arange(height) * 2, np.arange(count)) + 3 * at) % 120
    if wish["format"] == "UYVY":
        stripes[:, 0::2] = 128
    return stripes.astype(np.uint8)


def described(rows: np.ndarray, wish: dict[str, Any]) -> Any:
    """The SDK's frame. It keeps the address of `rows`."""
    frame = NDIlib.VideoFrameV2()
    frame.data = rows
    frame.yres, frame.xres = wish["size"]
    frame.line_stride_in_bytes = rows.shape[1]
    frame.FourCC = getattr(NDIlib, f"FOURCC_VIDEO_TYPE_{wish['format']}")
    frame.frame_format_type = NDIlib.FRAME_FORMAT_TYPE_PROGRESSIVE
    frame.frame_rate_N, frame.frame_rate_D = wish["declared"] or wish["rate"], 1
    frame.timecode = NDIlib.SEND_TIMECODE_SYNTHESIZE
    return frame


def sound(wish: dict[str, Any], first: int) -> np.ndarray:
    """The samples of one frame at 48 kHz, (2, n), from number `first` on."""
    since = (first + np.arange(SAMPLES_PER_S // wish["rate"])) % BEAT_SAMPLES / SAMPLES_PER_S
    kick = 0.8 * np.sin(2 * np.pi * 60 * since) * np.exp(-since / 0.08)
    if wish["sound"] == "nan":
        kick[::7] = np.nan
    return np.stack([kick, kick]).astype(np.float32)


def heard(samples: np.ndarray) -> Any:
    """The SDK's sound. It keeps the address of `samples`."""
    audio = NDIlib.AudioFrameV2()
    audio.data = samples
    audio.no_channels, audio.no_samples = samples.shape
    audio.channel_stride_in_bytes, audio.sample_rate = samples.strides[0], SAMPLES_PER_S
    audio.timecode = NDIlib.SEND_TIMECODE_SYNTHESIZE
    return audio


def sender(name: str) -> Any:
    """One NDI source, without a clock of its own."""
    create = NDIlib.SendCreate()
    create.ndi_name, create.clock_video, create.clock_audio = name, False, False
    return NDIlib.send_create(create)


def main(name: str, count: int = 1) -> None:
    """Send until the standard input ends."""
    NDIlib.initialize()
    senders = [sender(name if count == 1 else f"{name} {i}") for i in range(count)]
    wish = Wish()
    due, number, played = time.monotonic(), 0, 0
    print("ready", flush=True)
    while True:
        now = wish.values
        if now["strays"] and number % now["strays"] == 0:
            now = now | {"size": STRAY}
        if now["send"]:
            rows = picture(now, number)
            for one in senders:
                NDIlib.send_send_video_v2(one, described(rows, now))
            number += 1
        if now["sound"] != "none":
            samples = sound(now, played)
            played += samples.shape[1]
            for one in senders:
                NDIlib.send_send_audio_v2(one, heard(samples))
        due = max(due + (now["every_s"] or 1 / now["rate"]), time.monotonic() - 0.1)
        time.sleep(max(due - time.monotonic(), 0))


if __name__ == "__main__":
    main(sys.argv[1], *(int(argument) for argument in sys.argv[2:]))
