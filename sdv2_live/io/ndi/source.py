"""NDI input: receives one source, found by name at any time, for the whole show."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import Any

from sdv2_live.backoff import Backoff
from sdv2_live.frame import ColorSpec, Frame
from sdv2_live.io.audio import AudioBlock
from sdv2_live.io.base import PollingSource
from sdv2_live.io.ndi.lib import NdiSourceInfo, destroy, initialise, product, sdk_source
from sdv2_live.io.ndi.pictures import NdiPictures
from sdv2_live.io.ndi.search import NdiSearch
from sdv2_live.io.ndi.settings import NdiSettings
from sdv2_live.io.ndi.sound import NdiSound
from sdv2_live.system.clock import monotonic, monotonic_ns

log = logging.getLogger("sdv2_live.ndi_in")

STEP_S = 0.1  # longest single wait inside the SDK, and so the longest that `close` waits for a reader
ERROR_S = 0.01  # pause after an error, which the SDK reports without waiting
PERFORMANCE_S = 1.0  # how often the SDK's drop count is read
LINK_S = 1.0  # time for a rebuilt receiver to connect before its sender counts as gone
PATIENCE_S = 60.0  # longest wait for a connected sender's next frame before its receiver is rebuilt
SOUND_S = 2.0  # sound without a picture for so long is told


class NdiSource(PollingSource):
    """Frames of the NDI source that `pattern` means (see `match_source`; "ip:port" connects directly; "" takes the first).

    The source may appear later, vanish, return at another address, change size, format or rate: `read` returns None meanwhile and
    never raises for it. After `receiver_timeout_s` without data the source is looked for again and the receiver rebuilt, since
    receivers have been seen to wedge after a sender's restart. While the sender is connected that happens ever more rarely, as it
    may be one that sends only changes.

    Frames come in the SDK's fastest format, UYVY; the alpha plane of UYVA is dropped. Interlaced sources come whole, as the SDK
    deinterlaces them; pixels are square, see NdiPictures.

    One thread reads; it should do nothing else, so that the SDK's queue stays empty. `status`, `set_tally`, the counters and
    `close` are for any thread.

    Args:
        color: the interpretation of the sender's Y'CbCr; the SDK's own conversions use BT.709 limited at every size.

    Attributes:
        listeners: those of its sound, see `listen`.
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
        """Start to look for the source; an absent one is no error. Raises VideoError where NDI cannot run."""
        super().__init__()
        settings = settings or NdiSettings()
        self.name = f"ndi:{pattern}"
        self.received = 0  # frames given by the SDK
        self.dropped = 0  # frames the SDK dropped because they were not read in time
        self.recreations = 0  # receivers built after the first
        self.listeners: tuple[Callable[[AudioBlock], None], ...] = ()
        self._pattern = pattern
        self._timeout = receiver_timeout_s
        self._patience = Backoff(receiver_timeout_s, PATIENCE_S)  # with a sender that is connected
        self._ndi = initialise(settings)
        self._pictures = NdiPictures(self._ndi, color or ColorSpec())
        self._sound = NdiSound()
        self._color_format = self._ndi.RECV_COLOR_FORMAT_FASTEST
        self._search = NdiSearch(pattern, settings, ignore)
        self._receiver: Any = None
        self._made_at = 0.0  # when the receiver was
        self._target: NdiSourceInfo | None = None
        self._tally = (False, False)
        self._tally_sent: tuple[bool, bool] | None = None
        self._dropped_before = 0
        # When anything came last, and a picture, or the receiver was made.
        self._alive_at = self._picture_at = self._performance_at = monotonic()
        self._flowing = self._linked = self._sound_only = False

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
    def linked(self) -> bool:
        """True when the sender of the newest frame has been connected ever since."""
        return self._linked

    @property
    def status(self) -> str:
        """One phrase for the performer: searching for, waiting for, or connected to a source, or the reason for no picture."""
        target = self._target
        if target is None:
            return f"searching for '{self._pattern}'" if self._pattern else "searching for any source"
        name = target.name or target.address
        if self._sound_only:
            return f"'{name}' sends sound but no picture"
        return f"{'connected to' if self._flowing else 'waiting for'} '{name}'"

    def listen(self, listener: Callable[[AudioBlock], None]) -> Callable[[], None]:
        """Call `listener` with every block of sound, on the reading thread; it must neither wait nor raise. Returns its remover.

        A block's `captured_ns` is that of the picture which the sender sent at the same time. No sound is asked for without a
        listener. Call it before the first read.
        """
        self.listeners = (*self.listeners, listener)

        def remove() -> None:
            self.listeners = tuple(one for one in self.listeners if one is not listener)

        return remove

    def set_tally(self, on_program: bool, on_preview: bool) -> None:
        """Tell the sender that its picture is on air or in preview; kept across reconnections, sent by the next `read`."""
        self._tally = (on_program, on_preview)

    def _look(self, left: float) -> Frame | None:
        """One wait in the SDK, at most STEP_S long."""
        wait = min(max(left, 0.0), STEP_S)
        if self._receiver is None:
            self._watch(monotonic())
        if self._receiver is None:
            self._closing.wait(wait)
            return None
        if self._tally != self._tally_sent:
            tally = self._tally
            self._ndi.recv_set_tally(self._receiver, self._ndi.Tally(*tally))
            self._tally_sent = tally
        # A receiver asks for sound only where somebody wants it, and where sound may be all that comes.
        hears = bool(self.listeners) or not self._flowing
        kind, video, audio, _ = self._ndi.recv_capture_v2(self._receiver, int(wait * 1000), True, hears, False)
        if kind == self._ndi.FRAME_TYPE_VIDEO:
            return self._take(video)
        if kind == self._ndi.FRAME_TYPE_AUDIO:
            self._hear(audio)
        if kind == self._ndi.FRAME_TYPE_NONE:  # only an empty queue is silence: a late reader is no reason to reconnect
            self._watch(monotonic())
        elif kind == self._ndi.FRAME_TYPE_ERROR:
            self._closing.wait(min(wait, ERROR_S))
        return None  # source and status changes need nothing: frames tell their own layout, silence is watched

    def _watch(self, now: float) -> None:
        """Look for the source while nothing comes, and build the receiver (again) when it is there."""
        if self._receiver is not None:
            connected = self._ndi.recv_get_no_connections(self._receiver) > 0
            self._linked &= connected or now - self._made_at < LINK_S
            if self._flowing and not self._linked and now - self._picture_at > self._timeout:
                log.warning("no frame from %s for %.1f s: looking for it again", self.connected, self._timeout)
                self._flowing = False
            if now - self._alive_at <= (self._patience.seconds if connected else self._timeout):
                return
            self._sound_only = False
        found = self._search.look(now)
        if found is not None:  # else the old receiver stays: the SDK may well find the source again by itself
            self._connect(found, now)

    def _connect(self, source: NdiSourceInfo, now: float) -> None:
        if self._receiver is not None:
            connected = self._ndi.recv_get_no_connections(self._receiver) > 0
            if connected:
                self._patience.grow()
            else:
                self._patience.reset()
            self._disconnect()
            self.recreations += 1
        create = self._ndi.RecvCreateV3()
        create.source_to_connect_to = sdk_source(self._ndi, source)
        create.color_format = self._color_format
        create.bandwidth = self._ndi.RECV_BANDWIDTH_HIGHEST
        create.allow_video_fields = False  # FASTEST does not heed it
        self._receiver = self._ndi.recv_create_v3(create)
        self._made_at = self._alive_at = self._picture_at = now = monotonic()  # to end the old one may have taken long
        if self._receiver is None:
            log.error("NDI could not make a receiver for %s; trying again in %.1f s", source, self._timeout)
            self._search.wait(now + self._timeout)
            return
        about = self._ndi.MetadataFrame()
        about.data = product("sdv2-live")
        self._ndi.recv_add_connection_metadata(self._receiver, about)
        self._sound.forget()
        known = self._target is not None and source.name == self._target.name  # a silent source is tried again and again
        level = logging.DEBUG if known else logging.INFO
        log.log(level, "receiving from '%s' at %s", source.name or source.address, source.address or "an unknown address")
        self._target, self._tally_sent, self._dropped_before = source, None, self.dropped

    def _take(self, video: Any) -> Frame | None:
        """Copy the picture from the SDK and return the SDK's frame at once."""
        captured_ns = monotonic_ns()
        try:
            read = self._pictures.reads(video)
            frame = self._pictures.copy(video, captured_ns, self.received) if read else None
            layout, aspect, stamp = video.FourCC, video.picture_aspect_ratio, video.timestamp
        finally:
            self._ndi.recv_free_video_v2(self._receiver, video)
        self._alive_at = self._picture_at = captured_ns / 1e9
        self._sound_only = False
        self._sound.pictured(captured_ns, stamp)
        if frame is None:
            self._ask_plain(layout)
            return None
        self._linked = True
        if not self._flowing:
            self._flowing = True
            log.info("%s, %dx%d %s at %.4g fps", self.status, frame.width, frame.height, frame.format.value, float(frame.rate))
        self.received += 1
        self._poll_performance()
        return self._pictures.square(frame, aspect)

    def _hear(self, audio: Any) -> None:
        """Copy sound from the SDK."""
        arrived_ns = monotonic_ns()
        try:
            block = self._sound.copy(audio, arrived_ns)
        finally:
            self._ndi.recv_free_audio_v2(self._receiver, audio)
        now = self._alive_at = arrived_ns / 1e9
        if not (self._flowing or self._sound_only) and now - self._picture_at > SOUND_S:
            self._sound_only = True
            log.warning("%s: choose another source, or switch its picture on", self.status)
        if block is not None:
            for listener in self.listeners:
                listener(block)

    def _ask_plain(self, layout: Any) -> None:
        """Let the SDK convert: FASTEST gives fields of interlaced pictures, and may give other layouts on other platforms."""
        if self._color_format != self._ndi.RECV_COLOR_FORMAT_UYVY_BGRA and self._target is not None:
            log.info("NDI gave fields, or %s, which is not read here: asking for whole pictures in UYVY or BGRA", layout)
            self._color_format = self._ndi.RECV_COLOR_FORMAT_UYVY_BGRA
            self._connect(self._target, monotonic())
            self._patience.reset()  # that was no silence

    def _poll_performance(self, *, at_once: bool = False) -> None:
        now = monotonic()
        if at_once or now >= self._performance_at:
            self._performance_at = now + PERFORMANCE_S
            _, dropped = self._ndi.recv_get_performance(self._receiver)
            self.dropped = self._dropped_before + dropped.video_frames

    def _disconnect(self) -> None:
        self._poll_performance(at_once=True)
        receiver, self._receiver = self._receiver, None
        destroy(self._ndi, "recv_destroy", self._made_at, receiver)

    def _release(self) -> None:
        if self._receiver is not None:
            self._disconnect()
        self._search.close()
        self._target, self._flowing, self._linked = None, False, False
