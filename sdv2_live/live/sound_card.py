"""A sound card that is listened to for a whole show: it may come later, vanish and return."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sdv2_live.backoff import Backoff
from sdv2_live.errors import SoundError
from sdv2_live.io.audio import AudioBlock
from sdv2_live.io.base import Port
from sdv2_live.logs import MENDED, TROUBLE
from sdv2_live.system.clock import monotonic
from sdv2_live.threads import closed, ended

log = logging.getLogger("sdv2_live.ears")

Open = Callable[[Callable[[AudioBlock], None]], Port]
LOOK_S = 0.5  # how often it is looked at
SILENT_S = 2.0  # a card gives blocks all the time, of silence too: without one for so long it is gone
FIRST_S, MOST_S = 1.0, 10.0  # between two tries to open it


class SoundCard(Port):
    """Keeps an input open, and opens it again when it is gone.

    Args:
        name: for the performer.
        open_input: opens it; its argument is called with each block. Raises SoundError.
        hear: takes each block, on any thread; must not block.

    Attributes:
        lost: times that it was there and vanished.
    """

    def __init__(self, name: str, open_input: Open, hear: Callable[[AudioBlock], None], *, silent_s: float = SILENT_S) -> None:
        self.name = name
        self.lost = 0
        self._open, self._hear, self._silent_s = open_input, hear, silent_s
        self._card: Port | None = None
        self._opened_at = self._heard_at = 0.0
        self._flows = False  # blocks come
        self._problem = ""  # that was told last
        self._pause = Backoff(min(FIRST_S, silent_s), MOST_S)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sound card", daemon=True)

    @property
    def status(self) -> str:
        """One phrase for the performer."""
        card = self._card
        return card.name if card is not None and self._flows else self._problem or f"opening {self.name}"

    def start(self) -> None:
        """Start to listen; an absent card is no error."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening. Idempotent. A card that hangs is abandoned."""
        self._closing.set()
        if self._thread.ident is not None:
            ended(self._thread)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._closing.wait(self._look())
            except Exception:  # the thread's top: whatever a driver does, the show goes on without its sound
                log.exception("%s: the sound card could not be looked after; trying again in %g s", self.name, MOST_S)
                self._closing.wait(MOST_S)
        self._let_go()

    def _look(self) -> float:
        """Open the card, or see whether it is still there. Returns the seconds until the next look."""
        if self._card is None:
            return self._try()
        if self._heard_at > self._opened_at and not self._flows:
            self._flows, self._problem = True, ""
            self._pause.reset()
            log.info("listening to %s", self._card.name, extra={MENDED: "sound card"})
        if monotonic() - self._heard_at <= self._silent_s:
            return min(LOOK_S, self._silent_s / 2)
        self.lost += self._flows
        self._tell(f"{self._card.name} gives no sound {'any more' if self._flows else 'at all'}: looking for it")
        self._let_go()
        return self._wait()

    def _try(self) -> float:
        try:
            card = self._open(self._take)
        except SoundError as error:
            self._tell(str(error))
            return self._wait()
        self._opened_at = self._heard_at = monotonic()
        self._card = card
        return min(LOOK_S, self._silent_s / 2)

    def _wait(self) -> float:
        seconds = self._pause.seconds
        self._pause.grow()
        return seconds

    def _take(self, block: AudioBlock) -> None:
        self._heard_at = monotonic()
        self._hear(block)

    def _tell(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            log.warning("%s", problem, extra={TROUBLE: "sound card"})

    def _let_go(self) -> None:
        card, self._card = self._card, None
        self._flows = False
        if card is not None:
            closed(card.name, card.close)
