"""NDI in: receives one source, found by name at any time, for as long as the show lasts."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from fractions import Fraction
from typing import Any

import numpy as np

from sdv2_live.frame import ColorSpec, Frame, PixelFormat
from sdv2_live.io.audio import AudioBlock
from sdv2_live.io.base import Source
from sdv2_live.io.ndi_lib import (
    Finder,
    NdiSettings,
    NdiSourceInfo,
    as_address,
    destroy,
    initialise,
    match_source,
    product,
    sdk_source,
)

log = logging.getLogger("sdv2_live.ndi_in")

STEP_S = 0.1  # longest single wait inside the SDK, and so the longest that `close` waits for a reader
ERROR_S = 0.01  # pause after an error, which the SDK reports without waiting
LOOK_S = 0.2  # how often a lost source is looked for
SETTLE_S = 1.0  # a substring may fit several sources: the finder gets this long to see them all before one is taken
HINT_S = 8.0  # a search that found nothing for so long says what may be wrong
PERFORMANCE_S = 1.0  # how often the SDK's drop count is read
SANE_NS = 1_000_000_000  # a sender's time stamp that puts sound further from its arrival is not believed
STEP_NS = 100_000_000  # a sender's clock that is further off than this was set anew; less is the network's unrest
CALM = 16  # pictures over which that unrest is smoothed, so that sound comes as evenly as it was sent

_NOT_FOUND = (
    "check its name and group, and that avahi-daemon runs (Linux); else add the sender's address to the extra IPs, "
    "or connect by address, as in ndi:192.168.1.20:5961"
)


class NdiSource(Source):
    """Frames of the NDI source that `pattern` means (see `match_source`; "ip:port" connects directly; "" takes the first).

    The source may appear later, vanish, return at another address, change size, format or rate: `read` gives None meanwhile
    and never raises for it. When no frame came for `receiver_timeout_s` the source is looked for again and the receiver
    made anew, since receivers have been seen to wedge after a sender's restart.

    Frames come as the SDK decodes them fastest: UYVY; the alpha plane of UYVA is dropped. Interlaced sources arrive as
    fields, each of which becomes a frame of its own, half the picture's height at twice the frame rate.

    color: how the sender's Y'CbCr is to be read; the SDK's own conversions use BT.709 limited at every size.

    `on_audio` may be set before the first read: it is then called on the reading thread for every block of sound, and must
    neither wait nor raise. A block's `captured_ns` is that of the picture which the sender sent at the same time.

    One thread reads; it should do nothing else, so that the SDK's queue stays empty. `status`, `set_tally`, the counters
    and `close` are for any thread.
    """

    def __init__(
        self,
        pattern: str,
        settings: NdiSettings | None = None,
        *,
        receiver_timeout_s: float = 3.0,
        ignore: Collection[str] = (),
        color: ColorSpec | None = None,
    ) -> None:
        """Raises VideoError where NDI cannot run; a source that is not there yet is no error."""
        settings = settings or NdiSettings()
        self.name = f"ndi:{pattern}"
        self.received = 0  # frames given by the SDK
        self.dropped = 0  # frames the SDK dropped because they were not read in time
        self.recreations = 0  # receivers made anew after the first
        self.on_audio: Callable[[AudioBlock], None] | None = None
        self._pattern = pattern
        self._ignore = tuple(ignore)
        self._color = color or ColorSpec()
        self._timeout = receiver_timeout_s
        self._ndi = initialise(settings)
        self._formats = _formats(self._ndi)
        self._color_format = self._ndi.RECV_COLOR_FORMAT_FASTEST
        self._direct = as_address(pattern)
        self._finder = None if self._direct else Finder(settings)
        self._receiver: Any = None
        self._made_at = 0.0  # when the receiver was
        self._target: NdiSourceInfo | None = None
        self._lock = threading.Lock()  # the receiver must not be destroyed while the SDK captures on it
        self._closing = threading.Event()
        self._tally = (False, False)
        self._tally_sent: tuple[bool, bool] | None = None
        self._dropped_before = 0
        now = time.monotonic()
        self._settled_at = now + SETTLE_S
        self._alive_at = now  # when the last frame came, or the receiver was made
        self._look_at = self._performance_at = now
        self._hint_at = now + HINT_S
        self._flowing = False
        self._clock_ns: int | None = None  # from the sender's time stamps to captured_ns, by its last pictures

    @property
    def connected(self) -> str | None:
        """Name (or address) of the source whose frames are coming in, None while none come."""
        target = self._target
        return (target.name or target.address) if target and self._flowing else None

    @property
    def peer(self) -> NdiSourceInfo | None:
        """The source whose frames are coming in, None while none come."""
        return self._target if self._flowing else None

    @property
    def status(self) -> str:
        """One phrase for the performer: searching for, waiting for, or connected to which source."""
        target = self._target
        if target is None:
            return f"searching for '{self._pattern}'" if self._pattern else "searching for any source"
        return f"{'connected to' if self._flowing else 'waiting for'} '{target.name or target.address}'"

    def set_tally(self, on_program: bool, on_preview: bool) -> None:
        """Tell the sender that its picture is on air or in preview; kept across reconnections, sent by the next `read`."""
        self._tally = (on_program, on_preview)

    def read(self, timeout: float) -> Frame | None:
        """The next frame, or None when none came within `timeout` seconds or the source is closed."""
        deadline = time.monotonic() + timeout
        while True:
            with self._lock:
                if self._closing.is_set():
                    return None
                frame = self._step(deadline - time.monotonic())
            if frame is not None or time.monotonic() >= deadline:
                return frame

    def _step(self, left: float) -> Frame | None:
        """One wait in the SDK, of at most STEP_S."""
        wait = min(max(left, 0.0), STEP_S)
        if self._receiver is None:
            self._watch(time.monotonic())
        if self._receiver is None:
            self._closing.wait(wait)
            return None
        if self._tally != self._tally_sent:
            tally = self._tally
            self._ndi.recv_set_tally(self._receiver, self._ndi.Tally(*tally))
            self._tally_sent = tally
        hears = self.on_audio is not None  # a receiver asks for sound only where somebody wants it
        kind, video, audio, _ = self._ndi.recv_capture_v2(self._receiver, int(wait * 1000), True, hears, False)
        if kind == self._ndi.FRAME_TYPE_VIDEO:
            return self._take(video)
        if kind == self._ndi.FRAME_TYPE_AUDIO:
            self._hear(audio)
        if kind == self._ndi.FRAME_TYPE_NONE:  # only an empty queue is silence: a late reader is no reason to reconnect
            self._watch(time.monotonic())
        elif kind == self._ndi.FRAME_TYPE_ERROR:
            self._closing.wait(min(wait, ERROR_S))
        return None  # source and status changes need nothing: frames tell their own layout, silence is watched

    def _match(self, sources: list[NdiSourceInfo], now: float) -> NdiSourceInfo | None:
        if now < self._settled_at:
            sources = [s for s in sources if self._pattern in (s.name, s.inner_name)]
        return match_source(self._pattern, sources, self._ignore)

    def _watch(self, now: float) -> None:
        """Look for the source while no frames come, and make the receiver (anew) when it is there."""
        silent = now - self._alive_at > self._timeout
        if (self._receiver is not None and not silent) or now < self._look_at:
            return
        self._look_at = now + LOOK_S
        if self._receiver is not None and self._flowing:
            log.warning("no frame from %s for %.1f s: looking for it again", self.connected, self._timeout)
        self._flowing = False
        found = self._direct or self._match(self._finder.sources if self._finder else [], now)
        if found is not None:  # else the old receiver stays: the SDK may well find the source again by itself
            self._connect(found, now)
        elif self._target is None and now >= self._hint_at:
            self._hint_at = float("inf")
            log.warning("%s: not on the network yet; %s", self.status, _NOT_FOUND)

    def _connect(self, source: NdiSourceInfo, now: float) -> None:
        if self._receiver is not None:
            self._disconnect()
            self.recreations += 1
        create = self._ndi.RecvCreateV3()
        create.source_to_connect_to = sdk_source(self._ndi, source)
        create.color_format = self._color_format
        create.bandwidth = self._ndi.RECV_BANDWIDTH_HIGHEST
        create.allow_video_fields = True  # FASTEST implies it
        self._receiver = self._ndi.recv_create_v3(create)
        self._made_at = self._alive_at = now
        if self._receiver is None:
            log.error("NDI could not make a receiver for %s; trying again in %.1f s", source, self._timeout)
            self._look_at = now + self._timeout
            return
        about = self._ndi.MetadataFrame()
        about.data = product("sdv2-live")
        self._ndi.recv_add_connection_metadata(self._receiver, about)
        self._clock_ns = None
        level = logging.DEBUG if source == self._target else logging.INFO  # a silent source is tried again and again
        log.log(level, "receiving from '%s' at %s", source.name or source.address, source.address or "an unknown address")
        self._target, self._tally_sent, self._dropped_before = source, None, self.dropped

    def _take(self, video: Any) -> Frame | None:
        """Copy the picture out of the SDK and give the SDK's frame back at once."""
        captured_ns = time.monotonic_ns()
        try:
            fourcc = video.FourCC
            layout = self._formats.get(fourcc)
            pixels = video.data if layout else None  # a copy, (height, width, stride // width)
            width, height, rate = video.xres, video.yres, _rate(self._ndi, video)
            stamp = video.timestamp
        finally:
            self._ndi.recv_free_video_v2(self._receiver, video)
        self._alive_at = captured_ns / 1e9
        self._follow_clock(captured_ns - stamp * 100)
        if layout is None or pixels is None:
            self._ask_plain(fourcc)
            return None
        if not self._flowing:
            self._flowing = True
            log.info("%s, %dx%d %s at %.4g fps", self.status, width, height, layout.value, float(rate))
        index, self.received = self.received, self.received + 1
        self._poll_performance()
        return Frame(
            np.ascontiguousarray(pixels).reshape(height, -1), width, height, layout, rate, captured_ns, index, self._color
        )

    def _follow_clock(self, clock_ns: int) -> None:
        if self._clock_ns is None or abs(clock_ns - self._clock_ns) > STEP_NS:
            self._clock_ns = clock_ns
        else:
            self._clock_ns += (clock_ns - self._clock_ns) // CALM

    def _hear(self, audio: Any) -> None:
        """Copy sound out of the SDK, and date it by the sender's own clock: pictures take longer to arrive than sound."""
        arrived_ns = time.monotonic_ns()
        try:
            samples = np.array(audio.data, np.float32)  # a copy, (channels, length)
            rate, stamp = audio.sample_rate, audio.timestamp
        finally:
            self._ndi.recv_free_audio_v2(self._receiver, audio)
        on_audio = self.on_audio
        if on_audio is None or samples.ndim != 2 or not samples.size or rate <= 0:
            return
        captured_ns = arrived_ns if self._clock_ns is None else stamp * 100 + self._clock_ns
        if abs(captured_ns - arrived_ns) > SANE_NS:
            captured_ns = arrived_ns
        on_audio(AudioBlock(samples, rate, captured_ns))

    def _ask_plain(self, fourcc: Any) -> None:
        """FASTEST may mean other layouts on other platforms: then let the SDK convert to those that we read."""
        if self._color_format != self._ndi.RECV_COLOR_FORMAT_UYVY_BGRA and self._target is not None:
            log.warning("NDI gave %s, which is not read here: asking for UYVY or BGRA", fourcc)
            self._color_format = self._ndi.RECV_COLOR_FORMAT_UYVY_BGRA
            self._connect(self._target, time.monotonic())

    def _poll_performance(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if at_once or now >= self._performance_at:
            self._performance_at = now + PERFORMANCE_S
            _, dropped = self._ndi.recv_get_performance(self._receiver)
            self.dropped = self._dropped_before + dropped.video_frames

    def _disconnect(self) -> None:
        self._poll_performance(at_once=True)
        receiver, self._receiver = self._receiver, None
        destroy(self._ndi, "recv_destroy", self._made_at, receiver)

    def close(self) -> None:
        self._closing.set()  # before the lock, so that a reader in its loop does not take it again
        with self._lock:
            if self._receiver is not None:
                self._disconnect()
            if self._finder is not None:
                self._finder.close()
            self._target, self._flowing = None, False


def _formats(ndi: Any) -> dict[Any, PixelFormat]:
    """The SDK's layouts that are read here. UYVA is UYVY rows, then an alpha plane, which is left behind."""
    names = {format.name: format for format in PixelFormat} | {"UYVA": PixelFormat.UYVY}
    return {getattr(ndi, f"FOURCC_VIDEO_TYPE_{name}"): format for name, format in names.items()}


def _rate(ndi: Any, video: Any) -> Fraction:
    """Pictures a second as they are delivered: fields come twice as often as the frames that the sender declares."""
    if video.frame_rate_N <= 0 or video.frame_rate_D <= 0:
        return Fraction(30)
    rate = Fraction(video.frame_rate_N, video.frame_rate_D)
    fields = (ndi.FRAME_FORMAT_TYPE_FIELD_0, ndi.FRAME_FORMAT_TYPE_FIELD_1)
    return rate * 2 if video.frame_format_type in fields else rate
