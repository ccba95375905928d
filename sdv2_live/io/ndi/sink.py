"""NDI output: publishes one source."""

from __future__ import annotations

import logging
import threading
import unicodedata
import uuid
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from sdv2_live.errors import VideoError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.audio import AudioBlock
from sdv2_live.io.base import Sink
from sdv2_live.io.ndi.lib import CAPABILITIES, NdiSourceInfo, initialise, product, sdk_source
from sdv2_live.io.ndi.settings import NdiSettings
from sdv2_live.system.clock import monotonic

log = logging.getLogger("sdv2_live.ndi_out")

FULL_NAME_BYTES = 253  # of "MACHINE (name)" in UTF-8, at most, in libndi 6.3.2
LONG_NAME = 100  # bytes; only beyond it a name is measured before the SDK sees it
POLL_S = 1.0  # how often the SDK is asked who watches


class NdiSink(Sink):
    """Publishes frames as the NDI source "MACHINE (name)".

    Sends are asynchronous: the SDK reads a buffer until the next send, so frames are copied into two buffers of our own in turn,
    and `send` costs one copy. Nothing is paced here (`clock_video` is off); the frame's `rate` is declared to receivers, exactly,
    and steers the SDK's encoder. Size, format and rate may change at any frame. UYVY is sent as BT.709 limited range, which the
    SDK's own receivers assume; an odd width or height of an RGB frame loses its last column or row in the SDK's encoder.

    Methods may be called from any thread.

    Attributes:
        on_sent: may be set; called on the sending thread after every frame, and must neither wait nor raise.
    """

    def __init__(self, name: str, settings: NdiSettings | None = None) -> None:
        """Publish the source.

        Raises:
            VideoError: NDI cannot run, or this machine already publishes that name.
        """
        settings = settings or NdiSettings()
        self.name = f"ndi:{name}"
        self.sent = 0  # frames handed to the SDK
        self.on_sent: Callable[[Frame], None] | None = None
        self._lock = threading.Lock()
        self._audio_lock = threading.Lock()  # its own, so that sound does not wait for the copy of a picture
        self._ndi = initialise(settings)
        if not name.strip():
            raise VideoError("an NDI output needs a name, as in ndi:StreamDiffusion")
        name = unicodedata.normalize("NFC", name)  # other programs compare names byte by byte
        create = self._ndi.SendCreate()
        create.ndi_name = name
        create.clock_video = create.clock_audio = False
        if settings.groups:
            create.groups = ",".join(settings.groups)
        if len(name.encode()) > LONG_NAME and (why := _too_long(self._ndi, name)):
            raise VideoError(f"NDI cannot publish '{name}': {why}; choose another output name")
        self._sender = self._ndi.send_create(create)
        if self._sender is None:
            why = _too_long(self._ndi, name) or "a program on this machine already does"
            raise VideoError(f"NDI cannot publish '{name}': {why}; choose another output name")
        self.full_name = str(self._ndi.send_get_source_name(self._sender).ndi_name)  # "MACHINE (name)"
        self._describe()
        self._buffers: list[tuple[np.ndarray, Any]] = []  # (rows, the SDK's description of them), used in turn
        self._shape: tuple[int, int, PixelFormat] | None = None
        self._watched, self._watched_at = False, 0.0
        if NdiSourceInfo(self.full_name).inner_name == name:
            log.info("publishing '%s'", self.full_name)
        else:
            log.warning("'%s' is published as '%s': NDI puts spaces in place of \" * / : < > ? \\ |", name, self.full_name)

    def _describe(self) -> None:
        """Tell every receiver, as it connects, the sender's identity (docs.ndi.video, SDK, NDI-Send, connection metadata)."""
        for text in (product(self.full_name), CAPABILITIES):
            metadata = self._ndi.MetadataFrame()
            metadata.data = text
            self._ndi.send_add_connection_metadata(self._sender, metadata)

    def send(self, frame: Frame) -> None:
        """Send one frame; its data is copied before this returns. Does nothing after `close`."""
        with self._lock:
            if self._sender is None:
                return
            if self._shape != (frame.height, frame.width, frame.format):
                self._allocate(frame)
            rows, video = self._buffers[self.sent % 2]
            np.copyto(rows, frame.data[:, : rows.shape[1]])
            rate = _sdk_rate(frame.rate)
            video.frame_rate_N, video.frame_rate_D = rate.numerator, rate.denominator
            self._ndi.send_send_video_async_v2(self._sender, video)
            self.sent += 1
        on_sent = self.on_sent
        if on_sent is not None:
            on_sent(frame)

    def send_audio(self, block: AudioBlock) -> None:
        """Send a block of sound now; it is copied before this returns. Does nothing after `close`."""
        samples = np.ascontiguousarray(block.samples, np.float32)
        audio = self._ndi.AudioFrameV2()
        audio.data = samples  # takes the address, and a description that the next lines make sure of
        audio.no_channels, audio.no_samples = samples.shape
        audio.channel_stride_in_bytes, audio.sample_rate = samples.strides[0], block.rate
        audio.timecode = self._ndi.SEND_TIMECODE_SYNTHESIZE
        with self._audio_lock:
            if self._sender is not None:
                self._ndi.send_send_audio_v2(self._sender, audio)

    def _allocate(self, frame: Frame) -> None:
        self._flush()
        self._shape = frame.height, frame.width, frame.format
        self._buffers = [self._buffer(frame) for _ in range(2)]

    def _buffer(self, frame: Frame) -> tuple[np.ndarray, Any]:
        rows = np.zeros((frame.height, frame.width * frame.format.bytes_per_pixel), np.uint8)
        video = self._ndi.VideoFrameV2()
        video.data = rows  # takes the address, and a size of its own that the next lines replace
        video.xres, video.yres, video.line_stride_in_bytes = frame.width, frame.height, rows.shape[1]
        video.FourCC = getattr(self._ndi, f"FOURCC_VIDEO_TYPE_{frame.format.name}")
        video.frame_format_type = self._ndi.FRAME_FORMAT_TYPE_PROGRESSIVE
        video.picture_aspect_ratio = 0.0  # square pixels
        video.timecode = self._ndi.SEND_TIMECODE_SYNTHESIZE
        return rows, video

    def _flush(self) -> None:
        """Wait until the SDK has released the last buffer: sending None does that (docs.ndi.video, SDK, NDI-Send)."""
        if self._buffers:
            self._ndi.send_send_video_async_v2(self._sender, None)

    @property
    def connections(self) -> int:
        """Receivers connected now."""
        with self._lock:
            return self._ndi.send_get_no_connections(self._sender, 0) if self._sender is not None else 0

    @property
    def watched(self) -> bool:
        """True when a receiver is connected; asked of the SDK at most once a second, so it costs nothing per frame."""
        now = monotonic()
        if now >= self._watched_at:
            self._watched_at = now + POLL_S
            self._watched = self.connections > 0
        return self._watched

    @property
    def tally(self) -> tuple[bool, bool]:
        """(on program, on preview), as the receivers together report it."""
        tally = self._ndi.Tally()
        with self._lock:
            if self._sender is not None:
                self._ndi.send_get_tally(self._sender, tally, 0)
        return tally.on_program, tally.on_preview

    def set_failover(self, source: NdiSourceInfo | None) -> None:
        """Set the source to which receivers turn by themselves when this program dies (None: none)."""
        failover = sdk_source(self._ndi, source) if source is not None else None
        with self._lock:
            if self._sender is not None:
                self._ndi.send_set_failover(self._sender, failover)

    def close(self) -> None:
        with self._lock, self._audio_lock:
            if self._sender is not None:
                self._flush()
                sender, self._sender = self._sender, None
                self._ndi.send_destroy(sender)
                self._buffers, self._watched = [], False


def _too_long(ndi: Any, name: str) -> str:
    """The sentence for a name that is too long; empty for one that is not.

    The SDK has no words for it: it refuses, or on some systems crashes. So the limit is taken from a short name's full one.
    """
    create = ndi.SendCreate()
    create.ndi_name, create.clock_video, create.clock_audio = uuid.uuid4().hex, False, False
    probe = ndi.send_create(create)
    if probe is not None:
        full_name = str(ndi.send_get_source_name(probe).ndi_name)
        ndi.send_destroy(probe)
        room = FULL_NAME_BYTES - len(full_name.encode()) + len(create.ndi_name)
        if len(name.encode()) > room:
            return f"the name is too long: at most {room} characters on this machine, fewer with letters beyond ASCII"
    return ""


def _sdk_rate(rate: Fraction) -> Fraction:
    """The rate with 32-bit terms, as the SDK takes it. Rates of real streams fit; a measured one is rounded to the nearest."""
    return rate if max(rate.numerator, rate.denominator) < 2**31 else rate.limit_denominator(1_000_000)
