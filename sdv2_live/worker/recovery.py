"""Asking less of the machine, rung by rung, where the engine does not last at what was asked."""

from __future__ import annotations

from collections.abc import Sequence

from sdv2_live.backoff import Backoff
from sdv2_live.config.measures import SMALL_VAE, SMALL_VAES
from sdv2_live.config.schema import Config
from sdv2_live.gpu.geometry import MULTIPLE, shrunk

STABLE_S = 120.0  # a process that was up for so long did not crash for what was asked of it


def lowered(config: Config, rungs: Sequence[str], max_pixels: int) -> Config:
    """The configuration down these rungs of `faults.ladder`: "taehv" takes the small autoencoder, "60%" (of the pixels
    asked for; the last one counts) a smaller picture of the same shape. max_pixels: what `auto` means for the model."""
    model, video = config.model, config.video
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


class RestartPolicy:
    """Decides, after each end of the engine's process, when it starts anew and how much is asked of it then; and, while one
    lives, when a rung is given back.

    crashes: short lives in a row before a rung is taken. retry_s: pause when no rung is left. climb_s: seconds that a process
    must live before the rung taken last is given back; 0 for never. Where the next process does not live as long, that was too
    early: the rung is taken again at once, and the wait is twice as long from then on, until one does.
    """

    def __init__(self, crashes: int, ladder: Sequence[str], retry_s: float, climb_s: float = 0.0) -> None:
        self.rungs: tuple[str, ...] = ()  # taken for crashes, so far
        self.away = False  # no rung is left: the engine stays away between the tries
        self._light = False  # the small autoencoder is wanted for speed, whatever crashes took
        self._crashes = crashes
        self._left = list(ladder)
        self._retry_s = retry_s
        self._climb = Backoff(climb_s)
        self._tried = False  # a rung was given back to the process that lives now
        self._short_lives = 0
        self._refusals = 0  # in a row

    @property
    def asked(self) -> tuple[str, ...]:
        """The rungs by which the next process is lowered, and the small autoencoder if it is wanted for speed."""
        return (*self.rungs, SMALL_VAE) if self._light and SMALL_VAE not in self.rungs else self.rungs

    def lighten(self, small: bool) -> bool:
        """The small autoencoder is wanted for speed, or no more. Returns whether that asks something else of a process."""
        before = self.asked
        self._light = small
        return self.asked != before

    def came_up(self) -> None:
        """A process loaded its models: what kept others from it is over."""
        self._refusals, self.away = 0, False

    def refused(self) -> float:
        """A process said why it cannot come up, as with a damaged file. Less would not help, but somebody may repair it: returns
        the seconds until the next try. A rung that was just given back is taken again."""
        self._light = False  # its own autoencoder may be whole where the small one is not
        if self._tried:
            return self.ended(0.0)
        self._refusals += 1
        self.away = True
        return float(min(2 ** min(self._refusals, 16) - 1, self._retry_s))  # 1 s, 3 s ...

    def ended(self, lived_s: float, vae: str = "") -> float:
        """A process ended that had been up for `lived_s` seconds. Returns the seconds until the next.

        vae: the autoencoder it had, so that no rung is taken that changes nothing.
        """
        if lived_s >= STABLE_S:
            self._short_lives, self.away = 0, False
        if self._tried:
            self._tried = False
            if lived_s < self._climb.first:
                self._climb.grow()
                return self._down()
            self._climb.reset()
        self._short_lives += 1
        if self._short_lives < self._crashes:
            return float(2 ** (self._short_lives - 1) - 1)  # at once, then 1 s, 3 s ...
        if vae in SMALL_VAES and SMALL_VAE in self._left:
            self._left.remove(SMALL_VAE)
        if not self._left:
            self.away = True
            return self._retry_s
        return self._down()

    def climbs_in(self, up_s: float) -> float | None:
        """Seconds until a rung is to be given back to a process that has been up for `up_s`; None for never."""
        if not self.rungs or not self._climb.first:
            return None
        return max((self._climb.first if self._tried else self._climb.seconds) - up_s, 0.0)

    def climb(self) -> str:
        """Ask more of the next process, by the rung taken last, which is returned."""
        if self._tried:  # the process with the rung before given back has lived long enough
            self._climb.reset()
        self._tried, self._short_lives, self.away = True, 0, False
        *rungs, last = self.rungs
        self.rungs = tuple(rungs)
        self._left.insert(0, last)
        return last

    def _down(self) -> float:
        self._short_lives = 0
        self.rungs += (self._left.pop(0),)
        return 0.0
