"""Sound, tally and failover, passed beside the picture from the NDI input that is shown to an NDI output."""

from __future__ import annotations

import logging
import statistics
import threading
from collections import deque
from functools import partial

from sdv2_live.frame import Frame
from sdv2_live.io.audio import LIMIT_S, AudioBlock, DelayLine
from sdv2_live.io.base import Port, Sink, Source
from sdv2_live.io.ndi.lib import Finder, NdiSourceInfo, as_address, match_source
from sdv2_live.io.ndi.settings import NdiSettings
from sdv2_live.io.ndi.sink import NdiSink
from sdv2_live.io.ndi.source import NdiSource
from sdv2_live.live.failover import Failover
from sdv2_live.stats import Counters, Fill
from sdv2_live.system.clock import monotonic, monotonic_ns
from sdv2_live.threads import closed, ended

log = logging.getLogger("sdv2_live.bind")

POLL_S = 0.1  # how often tally and failover are looked at
REST_S = 1.0  # pause after an unforeseen error
WINDOW_NS = 1_500_000_000  # window of the median picture delay that audio follows; a hitch of under half of it moves nothing
PICTURES = 25  # and of so many at least: one late chunk (4 to 12 pictures) does not move it


def join_side_channels(
    source: Failover,
    sink: Sink,
    counters: Counters,
    ndi: NdiSettings | None = None,
    *,
    audio: bool = True,
    failover: str = "auto",
) -> SideChannels | None:
    """Join the NDI inputs of a source and the first NDI output; None, with nothing joined, when either is missing.

    Call it before reading the source or writing to the sink, and close its result before them. See SideChannels.
    """
    output = next((one for one in sink.opened if isinstance(one, NdiSink)), None)
    if output is None or not any(isinstance(one, NdiSource) for one in source.inputs):
        return None
    return SideChannels(source, output, counters, ndi or NdiSettings(), audio=audio, failover=failover)


class SideChannels(Port):
    """Passes sound with the picture's delay, reports tally to the input, and keeps the failover source set.

    It always follows the input that `source` shows (Failover.on_air). When another input takes over, the sound crossfades and the
    tally moves; an input that is not NDI has neither.

    Counts audio_blocks (sent) and audio_dropped (left out, see DelayLine).

    Args:
        audio: pass sound. Its delay is that of new pictures from capture to output, in bypass as in painting; while the picture
            is held, the last one.
        failover: the source that receivers turn to when this program dies. auto: the input that is shown, which they then see
            without restyling | off | another source, by name as `match_source` takes it, or by ip:port. Receivers go by the name
            first: measured with libndi 6.3.2, an address that holds on this machine only does no harm beside it.
    """

    def __init__(
        self, source: Failover, sink: NdiSink, counters: Counters, ndi: NdiSettings, *, audio: bool, failover: str
    ) -> None:
        self.name = f"{source.name} to {sink.name}"
        self._source, self._sink, self._counters = source, sink, counters
        self._inputs = [one for one in source.inputs if isinstance(one, NdiSource)]
        self._failover = failover
        self._failover_set: NdiSourceInfo | None = None
        self._finder = Finder(ndi) if failover not in ("auto", "off") and not as_address(failover) else None
        self._line = DelayLine()
        self._heard = source.on_air  # the input whose sound passes
        self._hearing = threading.Lock()  # each input is read on a thread of its own
        self._dropped = 0
        self._delays: deque[tuple[int, int]] = deque()  # (when it was shown, its delay) of the last new pictures
        self._delay_ns = 0
        self._shown_ns = -1  # capture time of the picture shown last: a repeated one says nothing about the delay
        self._news = threading.Event()
        self._closing = False
        self._deafen = [one.listen(partial(self._hear, one)) for one in self._inputs if audio]
        if audio:
            sink.on_sent = self._shown
        self._thread = threading.Thread(target=self._run, name="side channels", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop all three. Idempotent."""
        for deafen in self._deafen:
            deafen()
        self._sink.on_sent = None
        self._closing = True
        self._news.set()
        if ended(self._thread) and self._finder is not None:
            closed(self._finder.name, self._finder.close)

    @property
    def queues(self) -> dict[str, Fill]:
        """Milliseconds of sound that wait for their picture."""
        return {"sound_ms": Fill(self._line.kept_ms, int(LIMIT_S * 1000))}

    @property
    def delay_ms(self) -> float:
        """Delay of the picture that the sound follows, 0 before the first picture."""
        return self._delay_ns / 1e6

    def _hear(self, source: Source, block: AudioBlock) -> None:
        """Take in sound, on the thread that reads this input."""
        with self._hearing:
            on_air = self._source.on_air
            if on_air is not self._heard:
                self._heard = on_air
                self._line.cut()
            if source is on_air:
                self._line.push(block)
        self._news.set()

    def _shown(self, frame: Frame) -> None:
        """Follow the picture's delay, on the sending thread after every picture."""
        if frame.captured_ns == self._shown_ns:
            return
        self._shown_ns = frame.captured_ns
        now = monotonic_ns()
        delay_ns = now - frame.captured_ns
        if delay_ns > LIMIT_S * 1e9:  # a still of no time, or a picture that no sound is kept for
            return
        self._delays.append((now, delay_ns))
        while len(self._delays) > PICTURES and self._delays[0][0] < now - WINDOW_NS:
            self._delays.popleft()
        self._delay_ns = int(statistics.median(delay for _, delay in self._delays))
        self._line.follow(self._delay_ns)

    def _run(self) -> None:
        poll_at = 0.0
        while not self._closing:
            try:
                self._send_due()
                if monotonic() >= poll_at:
                    poll_at = monotonic() + POLL_S
                    self._report()
            except Exception:  # the thread's top: some sound or one report is lost, the rest goes on
                self._counters.add("side_channels_failed")
                log.exception("sound, tally or failover could not be passed on; trying again in %.0f s", REST_S)
                self._news.wait(REST_S)
            self._sleep(poll_at)

    def _sleep(self, poll_at: float) -> None:
        due = self._line.next_due
        wake = poll_at if due is None else min(poll_at, due / 1e9)
        self._news.wait(max(wake - monotonic(), 0))
        if not self._closing:
            self._news.clear()

    def _send_due(self) -> None:
        blocks = self._line.due(monotonic_ns())
        if blocks and self._sink.watched:
            for block in blocks:
                self._sink.send_audio(block)
            self._counters.add("audio_blocks", len(blocks))
        dropped, self._dropped = self._line.dropped - self._dropped, self._line.dropped
        if dropped:
            self._counters.add("audio_dropped", dropped)

    def _report(self) -> None:
        on_air, tally = self._source.on_air, self._sink.tally
        for one in self._inputs:
            one.set_tally(*(tally if one is on_air else (False, False)))
        target = self._failover_target()
        if target is not None and target != self._failover_set:
            self._sink.set_failover(target)
            self._failover_set = target
            log.info("if sdv2-live ends, receivers turn to '%s'", target.name or target.address)

    def _failover_target(self) -> NdiSourceInfo | None:
        """The source that receivers are to turn to; a source that went away stays the failover until another one comes in."""
        if self._failover == "off":
            return None
        if self._failover == "auto":
            on_air = self._source.on_air
            return on_air.peer if isinstance(on_air, NdiSource) else None
        if self._finder is None or self._failover_set is not None:
            return as_address(self._failover)
        return match_source(self._failover, self._finder.sources, (self._sink.full_name,))
