"""The sound of a show: where it comes from, what is heard in it, and what is told of that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from sdv2_live.closing import Service
from sdv2_live.config.schema_music import AudioConfig
from sdv2_live.control.store import ParamStore
from sdv2_live.io.audio import AudioBlock
from sdv2_live.io.base import Source
from sdv2_live.io.ndi.source import NdiSource
from sdv2_live.io.sound.process import SoundProcess
from sdv2_live.live.failover import Failover
from sdv2_live.live.sound_card import SoundCard
from sdv2_live.music.clock import BeatClock
from sdv2_live.music.ears import Ears, EarsCounters, Meters
from sdv2_live.music.heard import Deaf, Heard, Hearing
from sdv2_live.music.sound.features import Gain
from sdv2_live.music.sound.listener import HeardBeat
from sdv2_live.stats import Fill
from sdv2_live.system.clock import monotonic_ns

SOURCE = "audio"  # of the tempo
TELL_NS = 200_000_000  # between two tellings of the meters
NDI_NS = 1_000_000_000  # for auto: the input's sound is there when it came within that time
LEVELS_NS = 80_000_000  # the same for who asks 25 times a second: two blocks of sound, so that no onset is missed
STATUS_NS = 500_000_000  # of the past that meters show: from one status to the next


@dataclass(frozen=True, slots=True)
class SoundNow:
    """What a show says of the sound that it hears. words: where it comes from, and whether it does."""

    words: str = "off"
    meters: Meters = field(default_factory=Meters)


class ShowSound(Service):
    """Brings sound to the ears, and the beat that they hear to the clock.

    Args:
        clock: told of the beat, as the source `audio`.
        changed: called a few times a second while there is something to show; must not block.
    """

    def __init__(self, config: AudioConfig, store: ParamStore, clock: BeatClock, changed: Callable[[], None]) -> None:
        self._config, self._store, self._clock, self._changed = config, store, clock, changed
        self.ears = Ears(config.bpm_from, self._gain, self._led) if config.source != "off" else None
        self._card: SoundCard | None = None
        self._deafen: list[Callable[[], None]] = []
        self._input: Failover | None = None
        self._input_ns = self._told_ns = 0
        if config.card is not None:
            self._card = SoundCard(config.source, partial(SoundProcess, *config.card), self._hear_card)

    @property
    def hearing(self) -> Hearing:
        """What is heard; of nothing where sound is off."""
        return self.ears or Deaf()

    def join(self, source: Failover) -> None:
        """Listen to the NDI inputs of a show, where that is asked for. Call it before they are read."""
        self._input = source
        if self.ears is not None and self._config.source in ("ndi", "auto"):
            heard = [one for one in source.inputs if isinstance(one, NdiSource)]
            self._deafen = [one.listen(partial(self._hear_input, one)) for one in heard]

    def start(self) -> None:
        """Start to listen."""
        if self.ears is not None:
            self.ears.start()
        if self._card is not None:
            self._card.start()

    def close(self) -> None:
        """Stop listening. Idempotent."""
        for deafen in self._deafen:
            deafen()
        if self._card is not None:
            self._card.close()
        if self.ears is not None:
            self.ears.close()

    @property
    def queues(self) -> dict[str, Fill]:
        """Fill of the ears' queue."""
        return self.ears.queues if self.ears is not None else {}

    @property
    def counters(self) -> EarsCounters:
        """Its totals."""
        counters = self.ears.counters if self.ears is not None else EarsCounters()
        return replace(counters, card_lost=self._card.lost if self._card is not None else 0)

    def now(self) -> SoundNow:
        """What was heard in the last half second."""
        if self.ears is None:
            return SoundNow()
        self._changed()  # so that the end of the sound is told, too
        return SoundNow(self._words(), self.ears.meters(STATUS_NS))

    def listed(self) -> dict[str, Any]:
        """The same for the page, of the time from one telling to the next."""
        if self.ears is None:
            return {"source": "off", "live": False}
        meters = self.ears.meters(TELL_NS)
        levels = {name: round(getattr(meters.heard, name), 2) for name in Heard.__slots__}
        return {"source": self._words(), "live": meters.live, "peak_db": round(meters.peak_db, 1), **levels}

    def levels(self) -> tuple[float, ...]:
        """Level, bass, middle, top, onset and kick, each 0..1, of the last moment; none where no sound is listened to."""
        if self.ears is None:
            return ()
        heard = self.ears.meters(LEVELS_NS).heard
        return tuple(round(getattr(heard, name), 3) for name in Heard.__slots__)

    def _words(self) -> str:
        if self._card is not None and not self._input_sounds:
            return self._card.status
        return "ndi" if self._input_sounds else "ndi, no sound"

    @property
    def _input_sounds(self) -> bool:
        """True while the sound of the input comes."""
        return monotonic_ns() - self._input_ns < NDI_NS

    def _hear_input(self, one: Source, block: AudioBlock) -> None:
        """Take in the sound of an input, on the thread that reads it."""
        if self._input is not None and one is self._input.on_air:
            self._input_ns = monotonic_ns()
            self._hear(block)

    def _hear_card(self, block: AudioBlock) -> None:
        """Take in the sound of a card, on its thread."""
        if not self._input_sounds:
            self._hear(block)

    def _hear(self, block: AudioBlock) -> None:
        assert self.ears is not None
        self.ears.hear(block.samples, block.rate, block.captured_ns)
        now_ns = monotonic_ns()
        if now_ns - self._told_ns >= TELL_NS:
            self._told_ns = now_ns
            self._changed()

    def _gain(self) -> Gain:
        params = self._store.latest()
        return Gain(params.audio_auto_gain, 10 ** (params.audio_gain / 20))

    def _led(self, beat: HeardBeat) -> None:
        self._clock.lead(SOURCE, beat.tempo, confidence=beat.confidence, at_ns=monotonic_ns())
