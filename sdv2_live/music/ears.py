"""Hears the show's sound on a thread of its own, so that whoever brings it never waits."""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from sdv2_live.logs import MENDED, TROUBLE
from sdv2_live.music.heard import Heard
from sdv2_live.music.sound.features import Gain
from sdv2_live.music.sound.hops import RATES
from sdv2_live.music.sound.listener import HeardBeat, Listener
from sdv2_live.stats import Fill, total
from sdv2_live.system.clock import monotonic_ns
from sdv2_live.threads import ended

log = logging.getLogger("sdv2_live.ears")

LIMIT_NS = 2_000_000_000  # sound that waits at most
REST_S = 1.0  # pause after an unforeseen error
WELL_NS = 10_000_000_000  # without a broken sample for so long, sound is well again
SILENCE_DB = -120.0
LIVE_NS = 500_000_000  # sound older than that is not heard now


@dataclass(slots=True)
class EarsCounters:
    """Totals since start."""

    dropped: int = total("Blocks of sound that were not listened to: they came faster than they were heard, or at no usual rate.")
    broken: int = total("Samples of sound that were no numbers, or far too large; they count as silence.")
    failed: int = total("Blocks of sound that could not be heard for a mistake of the program.")
    card_lost: int = total("Times that a sound card that was listened to vanished.")


@dataclass(frozen=True, slots=True)
class Meters:
    """What a performer sees of the sound.

    Attributes:
        live: sound comes in.
        peak_db: largest sample of the last moment, in dB of the reference level; SILENCE_DB for silence.
        heard: in the time that was asked for.
    """

    live: bool = False
    peak_db: float = SILENCE_DB
    heard: Heard = field(default_factory=Heard)


class Ears:
    """What the show hears: a `music.heard.Hearing`. Any thread; only `hear` is for those who bring sound.

    Args:
        low_bpm: tempi are looked for from here to its double.
        gain: gives how loud sound counts, at any time.
        on_beat: called on the thread of the ears with each news of the beat; must not block.
    """

    def __init__(self, low_bpm: float, gain: Callable[[], Gain], on_beat: Callable[[HeardBeat], None]) -> None:
        self.counters = EarsCounters()
        self._listener = Listener(low_bpm)
        self._gain, self._on_beat = gain, on_beat
        self._waiting: deque[tuple[np.ndarray, int, int]] = deque()
        self._waiting_ns = 0
        self._news = threading.Condition()
        self._closing = False
        self._broken_ns: int | None = None  # when a sample was broken last; None when that is over
        self._strange_rate: int | None = None  # that was told
        self._thread = threading.Thread(target=self._run, name="ears", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening. Idempotent."""
        with self._news:
            self._closing = True
            self._news.notify()
        if self._thread.ident is not None:
            ended(self._thread)

    def hear(self, samples: np.ndarray, rate: int, captured_ns: int) -> None:
        """Take a block in, without a copy and without waiting. When more than LIMIT_NS wait, the oldest are dropped.

        Args:
            samples: float32, shape (channels, length); 1.0 is the reference level.
            rate: samples a second.
            captured_ns: time of the first sample, on the clock of `Frame.captured_ns`.
        """
        if not RATES[0] <= rate <= RATES[1]:
            self._leave_out(rate)
            return
        with self._news:
            self._waiting.append((samples, rate, captured_ns))
            self._waiting_ns += _length_ns(samples, rate)
            while self._waiting_ns > LIMIT_NS and len(self._waiting) > 1:
                self._take()
                self.counters.dropped += 1
            self._news.notify()

    def between(self, start_ns: int, end_ns: int) -> Heard:
        """See `music.heard.Hearing`."""
        return self._listener.between(start_ns, end_ns)

    def meters(self, span_ns: int) -> Meters:
        """What was heard in the last `span_ns` that are known, which end where the newest sound does."""
        now_ns, newest_ns = monotonic_ns(), self._listener.memory.newest_ns
        live = newest_ns is not None and now_ns - newest_ns < LIVE_NS
        peak_db = 20 * math.log10(max(self._listener.peak, 1e-6)) if live else SILENCE_DB
        heard = self.between(newest_ns - span_ns, newest_ns + 1) if live and newest_ns is not None else Heard()
        return Meters(live, peak_db, heard)

    @property
    def queues(self) -> dict[str, Fill]:
        """Milliseconds of sound that wait to be heard."""
        return {"ears_ms": Fill(self._waiting_ns // 1_000_000, LIMIT_NS // 1_000_000)}

    def _take(self) -> tuple[np.ndarray, int, int]:
        block = self._waiting.popleft()
        self._waiting_ns -= _length_ns(block[0], block[1])
        return block

    def _leave_out(self, rate: int) -> None:
        self.counters.dropped += 1
        if rate != self._strange_rate:
            self._strange_rate = rate
            log.warning("sound of %d samples a second is not listened to: let the sender give %d to %d", rate, *RATES)

    def _run(self) -> None:
        while True:
            with self._news:
                while not self._waiting and not self._closing:
                    self._news.wait()
                if self._closing:
                    return
                block = self._take()
            try:
                self._hear(*block)
            except Exception:  # the thread's top: a block is lost, the next is heard
                self.counters.failed += 1
                log.exception("a block of sound could not be heard; the next ones will be tried")
                with self._news:
                    self._news.wait_for(lambda: self._closing, REST_S)

    def _hear(self, samples: np.ndarray, rate: int, captured_ns: int) -> None:
        beat = self._listener.hear(samples, rate, captured_ns, self._gain())
        if beat is not None:
            self._on_beat(beat)
        broken, self.counters.broken = self.counters.broken, self._listener.broken
        if self.counters.broken > broken:
            if self._broken_ns is None:
                log.warning(
                    "the sound has samples that are no numbers: they count as silence; look at what sends it",
                    extra={TROUBLE: "sound"},
                )
            self._broken_ns = captured_ns
        elif self._broken_ns is not None and captured_ns - self._broken_ns > WELL_NS:
            self._broken_ns = None
            log.info("the sound is whole again", extra={MENDED: "sound"})


def _length_ns(samples: np.ndarray, rate: int) -> int:
    return int(samples.shape[1]) * 1_000_000_000 // rate
