"""Crash recovery: ask less of the machine, rung by rung, when the engine keeps crashing."""

from __future__ import annotations

from collections.abc import Sequence

from sdv2_live.backoff import Backoff
from sdv2_live.config.measures import FEWER_CARDS, SMALL_VAE, SMALL_VAES
from sdv2_live.config.schema import Config
from sdv2_live.gpu.geometry import MULTIPLE, shrunk

STABLE_S = 120.0  # a process that was up for so long did not crash for what was asked of it


def lowered(config: Config, rungs: Sequence[str], max_pixels: int, ranks: int = 1) -> Config:
    """The configuration lowered by these rungs of `faults.ladder`.

    "fewer-cards" does without the last of the cards, which `ranks` counts. "taehv" takes the small autoencoder. "60%" takes a
    smaller picture of the same shape, with that share of the pixels asked for; the last share counts.

    Args:
        max_pixels: the meaning of `auto` for the model.
        ranks: processes that would paint together on this machine.
    """
    model, video = config.model, config.video
    fewer = min(rungs.count(FEWER_CARDS), ranks - 1)
    if fewer:
        left = model.gpus[: ranks - fewer] if isinstance(model.gpus, tuple) else ranks - fewer
        model = model.model_copy(update={"gpus": left})
    if SMALL_VAE in rungs:
        model = model.model_copy(update={"vae": SMALL_VAE})
    shares = [int(rung.rstrip("%")) / 100 for rung in rungs if rung.endswith("%")]
    if shares:
        least = MULTIPLE * MULTIPLE
        update: dict[str, object] = {"max_pixels": max(int((video.max_pixels or max_pixels) * shares[-1]), least)}
        if video.size is not None:
            update["size"] = shrunk(video.size, shares[-1])
        video = video.model_copy(update=update)
    return config.replaced(model=model, video=video)


def asked(gpus: int | tuple[int, ...] | None) -> int:
    """How many cards `model.gpus` asks for; 0 for auto."""
    return len(gpus) if isinstance(gpus, tuple) else gpus or 0


class RestartPolicy:
    """Decides when the engine's process restarts, and with which rungs.

    A rung is taken after several short lives, and given back to a process that lives for long. If the next process lives less
    long, the rung is taken again at once, and the wait doubles until one lives that long. "fewer-cards" is taken as often as
    there is a card to do without.

    Args:
        crashes: short lives in a row before a rung is taken.
        retry_s: pause when no rung is left.
        climb_s: seconds that a process must live before the last rung is given back; 0 for never.
    """

    def __init__(self, crashes: int, ladder: Sequence[str], retry_s: float, climb_s: float = 0.0) -> None:
        self.rungs: tuple[str, ...] = ()  # taken for crashes, so far
        self.away = False  # no rung is left: the engine stays away between the tries
        self._cards = 1  # that have painted together
        self._light = False  # the small autoencoder is wanted for speed, whatever crashes took
        self._crashes = crashes
        self._ladder = list(ladder)
        self._left = list(ladder)
        self._retry_s = retry_s
        self._climb = Backoff(climb_s)
        self._tried = ""  # the rung that was given back to the process that lives now
        self._short_lives = 0
        self._refusals = 0  # in a row

    @property
    def asked(self) -> tuple[str, ...]:
        """The rungs of the next process, and the small autoencoder if load shedding wants it."""
        return (*self.rungs, SMALL_VAE) if self._light and SMALL_VAE not in self.rungs else self.rungs

    def lighten(self, small: bool) -> bool:
        """Set whether load shedding wants the small autoencoder. Returns True when `asked` has changed."""
        before = self.asked
        self._light = small
        return self.asked != before

    def came_up(self) -> None:
        """Take note that a process loaded its models: earlier refusals no longer count."""
        self._refusals, self.away = 0, False

    def refused(self, cards: int = 1) -> float:
        """Take note that a process reported why it cannot come up, such as a damaged file; return the seconds until the next try.

        A lower rung would not help, but somebody may repair the cause. A rung that was just given back is taken again.

        Args:
            cards: that have painted together, where one that is gone may be the cause: the others go on.
        """
        self._light = False  # its own autoencoder may be whole where the small one is not
        self._cards = max(self._cards, cards)
        if self._tried:
            return self.ended(0.0)
        if cards > 1 and FEWER_CARDS in self._possible:
            return self._down(FEWER_CARDS)
        self._refusals += 1
        self.away = True
        return float(min(2 ** min(self._refusals, 16) - 1, self._retry_s))  # 1 s, 3 s ...

    def ended(self, lived_s: float, vae: str = "", cards: int = 1) -> float:
        """Take note that a process ended `lived_s` seconds after it came up. Returns the seconds until the next start.

        Args:
            vae: its autoencoder, so that no rung is taken that changes nothing.
            cards: that painted together, or were to, for the same reason.
        """
        self._cards = max(self._cards, cards)
        if lived_s >= STABLE_S:
            self._short_lives, self.away = 0, False
        if self._tried:
            tried, self._tried = self._tried, ""
            if lived_s < self._climb.first:
                self._climb.grow()
                return self._down(tried)
            self._climb.reset()
        self._short_lives += 1
        if self._short_lives < self._crashes:
            return float(2 ** (self._short_lives - 1) - 1)  # at once, then 1 s, 3 s ...
        if vae in SMALL_VAES and SMALL_VAE in self._left:
            self._left.remove(SMALL_VAE)
        return self._down(*self._possible[:1])

    def climbs_in(self, up_s: float) -> float | None:
        """Seconds until a rung is given back to a process that has been up for `up_s`; None for never."""
        if not self.rungs or not self._climb.first:
            return None
        return max((self._climb.first if self._tried else self._climb.seconds) - up_s, 0.0)

    def climb(self) -> str:
        """Give the last rung back to the next process, and return it."""
        if self._tried:  # the process with the rung before given back has lived long enough
            self._climb.reset()
        *rungs, last = self.rungs
        self._tried, self._short_lives, self.away = last, 0, False
        self.rungs = tuple(rungs)
        if last != FEWER_CARDS:
            self._left.append(last)
            self._left.sort(key=self._ladder.index)
        return last

    @property
    def _possible(self) -> list[str]:
        """What is left of the ladder and would change something."""
        spare = self._cards - 1 - self.rungs.count(FEWER_CARDS)
        return [rung for rung in self._left if rung != FEWER_CARDS or spare > 0]

    def _down(self, *rung: str) -> float:
        """Take this rung, or stay away where there is none."""
        if not rung:
            self.away = True
            return self._retry_s
        self._short_lives, self.rungs = 0, (*self.rungs, *rung)
        if rung != (FEWER_CARDS,):
            self._left.remove(*rung)
        return 0.0
