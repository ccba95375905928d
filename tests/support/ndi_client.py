"""An NDI client that others wrote: cyndilib, which carries its own copy of the SDK.

Its finder is asked, never opened: the thread that opening starts waits five seconds at a time, and one that is told to stop in
the moment its wait ends gives up a reference too many (`Condition._wait` of cyndilib 0.1.3), which ends the process later.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from cyndilib import (
    AudioSendFrame,
    Finder,
    FourCC,
    FrameFormat,
    Receiver,
    RecvBandwidth,
    RecvColorFormat,
    Sender,
    VideoFrameSync,
    VideoSendFrame,
)

from sdv2_live.io.ndi.lib import SETTLED_S
from support.waiting import eventually


def unique_name(stem: str = "test") -> str:
    """A source name that nobody else on this machine publishes."""
    return f"{stem}-{uuid.uuid4().hex[:12]}"


class ClientSender:
    """Publishes pictures, and where `sound` is set two channels of it; one size, rate and layout for its life."""

    def __init__(
        self,
        name: str,
        height: int,
        width: int,
        fourcc: FourCC = FourCC.BGRX,
        rate: Fraction = Fraction(30),
        frame_format: FrameFormat = FrameFormat.progressive,
        sound: int = 0,
    ) -> None:
        """sound: samples a block at most, at 48 kHz; 0 for none."""
        self._sender = Sender(name, clock_video=False, clock_audio=False)
        frame = VideoSendFrame()
        frame.set_resolution(width, height)
        frame.set_frame_rate(rate)
        frame.set_fourcc(fourcc)
        frame.set_frame_format(frame_format)
        self._sender.set_video_frame(frame)
        if sound:
            audio = AudioSendFrame()
            audio.sample_rate, audio.num_channels = 48_000, 2
            audio.set_max_num_samples(sound)
            self._sender.set_audio_frame(audio)
        self._sender.open()

    @property
    def full_name(self) -> str:
        return str(self._sender.name)

    def send(self, pixels: np.ndarray) -> None:
        """Synchronous: the picture is encoded and on its way when this returns."""
        self._sender.write_video(np.ascontiguousarray(pixels).reshape(-1))

    def send_sound(self, samples: np.ndarray) -> None:
        """float32 (2, n)."""
        self._sender.write_audio(np.ascontiguousarray(samples, np.float32))

    @property
    def tally(self) -> tuple[bool, bool]:
        self._sender.update_tally(0)
        return self._sender.program_tally, self._sender.preview_tally

    def close(self) -> None:
        self._sender.close()


class ClientReceiver:
    """Receives pictures as RGBX or BGRX through the SDK's frame synchroniser: always the newest."""

    def __init__(self, full_name: str, color_format: RecvColorFormat = RecvColorFormat.RGBX_RGBA) -> None:
        self._finder = Finder()  # never opened: see the top
        eventually(f"{full_name} to be announced", lambda: full_name in self._finder.update_sources())
        self._made_at = time.monotonic()
        self._receiver = Receiver(color_format=color_format, bandwidth=RecvBandwidth.highest)
        self._frame = VideoFrameSync()
        self._receiver.frame_sync.set_video_frame(self._frame)
        self._receiver.set_source(self._finder.get_source(full_name))

    @property
    def rate(self) -> Fraction:
        return Fraction(self._frame.get_frame_rate())

    def picture(self, wanted: Callable[[np.ndarray], bool], pump: Callable[[], object]) -> np.ndarray:
        """The first picture (height, width, 4) that `wanted` accepts, calling `pump` to have frames sent meanwhile."""

        def look() -> np.ndarray | None:
            pump()
            self._receiver.frame_sync.capture_video()
            width, height = self._frame.get_resolution()
            if not width or not height:
                return None
            rows = self._frame.get_array().reshape(height, -1)[:, : 4 * width]
            pixels = rows.reshape(height, width, 4).copy()
            return pixels if wanted(pixels) else None

        found = eventually("a picture", lambda: None if (pixels := look()) is None else (pixels,))
        assert found is not None
        return found[0]

    def set_tally(self, program: bool, preview: bool) -> None:
        self._receiver.set_source_tally_program(program)
        self._receiver.set_source_tally_preview(preview)

    def close(self) -> None:
        """Not before the connection has settled: one that is lost at once can abort its sender (see `io.ndi.lib.destroy`)."""
        time.sleep(max(0.0, self._made_at + SETTLED_S - time.monotonic()))
        self._receiver.disconnect()
