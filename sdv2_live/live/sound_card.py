"""A sound card that is listened to for a whole show: it may come later, vanish and return."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from sdv2_live.backoff import Backoff
from sdv2_live.closing import Closing
from sdv2_live.errors import SoundError
from sdv2_live.io.audio import AudioBlock
from sdv2_live.logs import MENDED, TROUBLE
from sdv2_live.system.clock import monotonic
from sdv2_live.threads import ended

log = logging.getLogger("sdv2_live.ears")

LOOK_S = 0.25  # longest wait inside one read, and so about the longest that `close` waits
SILENT_S = 3.0  # a card gives blocks all the time, of silence too; a sound server may begin with a pause of 2 s
FIRST_S, MOST_S = 1.0, 30.0  # between two tries to open it, each of which starts a process


class Input(Protocol):
    """What is listened to; see `io.sound.process.SoundProcess`."""

    name: str

    def read(self, timeout: float) -> AudioBlock | None:
        """The next block; None when none came in time. Raises SoundError when the input is gone."""

    def close(self) -> None:
        """Stop listening."""


class SoundCard(Closing):
    """Keeps an input open, and opens it again when it is gone.

    Args:
        name: for the performer.
        open_input: opens it. Raises SoundError.
        hear: takes each block; must not block.
        silent_s: without a block for so many seconds the input is gone.

    Attributes:
        lost: times that it was heard and vanished.
    """

    def __init__(
        self, name: str, open_input: Callable[[], Input], hear: Callable[[AudioBlock], None], *, silent_s: float = SILENT_S
    ) -> None:
        self.name = name
        self.lost = 0
        self._open, self._hear, self._silent_s = open_input, hear, silent_s
        self._card: Input | None = None
        self._flows = False  # its blocks come
        self._heard_at = 0.0
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
        """Stop listening. Idempotent."""
        self._closing.set()
        if self._thread.ident is not None:
            ended(self._thread)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._step()
            except SoundError as error:
                self._gone(str(error))
            except Exception:  # the thread's top: the show goes on without this sound
                log.exception("%s could not be listened to; trying again", self.name)
                self._gone("")
        self._let_go()

    def _step(self) -> None:
        """Open the input, or read a block of it."""
        if self._card is None:
            self._card = self._open()
            self._heard_at = monotonic()
        block = self._card.read(min(LOOK_S, self._silent_s))
        if block is not None:
            self._heard_at = monotonic()
            self._hear(block)
            if not self._flows:
                self._flows, self._problem = True, ""
                self._pause.reset()
                log.info("listening to %s", self._card.name, extra={MENDED: "sound card"})
        elif monotonic() - self._heard_at > self._silent_s:
            raise SoundError(f"{self._card.name} gives no sound{' any more' if self._flows else ''}")

    def _gone(self, problem: str) -> None:
        """Tell it, and wait until the next try."""
        self.lost += self._flows
        if problem and problem != self._problem:
            log.warning("%s; it is tried again and again", problem, extra={TROUBLE: "sound card"})
        self._problem = problem or self._problem
        self._let_go()
        self._closing.wait(self._pause.seconds)
        self._pause.grow()

    def _let_go(self) -> None:
        card, self._card, self._flows = self._card, None, False
        if card is not None:
            card.close()
