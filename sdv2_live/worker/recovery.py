"""Asking less of the machine, step by step, where the engine does not last at what was asked."""

from __future__ import annotations

from collections.abc import Sequence

from sdv2_live.config.schema import Config
from sdv2_live.gpu.geometry import MULTIPLE, shrunk

TAEHV = "taehv"
SMALL = (TAEHV, "lighttae")  # autoencoders beside which that step gains nothing
STABLE_S = 120.0  # a process that was up for so long did not crash for what was asked of it
MAX_PATIENCE = 32  # times climb_s


def lowered(config: Config, steps: Sequence[str], max_pixels: int) -> Config:
    """The configuration after these steps of `faults.ladder`: "taehv" takes the small autoencoder, "60%" (of the pixels
    asked for; the last one counts) a smaller picture of the same shape. max_pixels: what `auto` means for the model."""
    model, video = config.model, config.video
    if TAEHV in steps:
        model = model.model_copy(update={"vae": TAEHV})
    shares = [int(step.rstrip("%")) / 100 for step in steps if step.endswith("%")]
    if shares:
        least = MULTIPLE * MULTIPLE
        update: dict[str, object] = {"max_pixels": max(int((video.max_pixels or max_pixels) * shares[-1]), least)}
        if video.size is not None:
            update["size"] = shrunk(video.size, shares[-1])
        video = video.model_copy(update=update)
    return config.replaced(model=model, video=video)


class RestartPolicy:
    """Decides, after each end of the engine's process, when it starts anew and how much is asked of it then; and, while one
    lives, when a step is given back.

    crashes: short lives in a row before a step is taken. retry_s: pause when no step is left. climb_s: seconds that a process
    must live before the step taken last is given back; 0 for never. Where the next process does not live as long, that was too
    early: the step is taken again at once, and the wait is twice as long from then on, until one does.
    """

    def __init__(self, crashes: int, ladder: Sequence[str], retry_s: float, climb_s: float = 0.0) -> None:
        self.steps: tuple[str, ...] = ()  # taken so far
        self.away = False  # no step is left: the engine stays away between the tries
        self._crashes = crashes
        self._left = list(ladder)
        self._retry_s = retry_s
        self._climb_s = climb_s
        self._patience = 1
        self._tried = False  # a step was given back to the process that lives now
        self._short_lives = 0
        self._refusals = 0  # in a row

    def came_up(self) -> None:
        """A process loaded its models: what kept others from it is over."""
        self._refusals, self.away = 0, False

    def refused(self) -> float:
        """A process said why it cannot come up, as with a damaged file. Less would not help, but somebody may repair it: returns
        the seconds until the next try. A step that was just given back is taken again."""
        if self._tried:
            return self.ended(0.0)
        self._refusals += 1
        self.away = True
        return float(min(2 ** min(self._refusals, 16) - 1, self._retry_s))  # 1 s, 3 s ...

    def ended(self, lived_s: float, vae: str = "") -> float:
        """A process ended that had been up for `lived_s` seconds. Returns the seconds until the next.

        vae: the autoencoder it had, so that no step is taken that changes nothing.
        """
        if lived_s >= STABLE_S:
            self._short_lives, self.away = 0, False
        if self._tried:
            self._tried = False
            if lived_s < self._climb_s:
                self._patience = min(2 * self._patience, MAX_PATIENCE)
                return self._down()
            self._patience = 1
        self._short_lives += 1
        if self._short_lives < self._crashes:
            return float(2 ** (self._short_lives - 1) - 1)  # at once, then 1 s, 3 s ...
        if vae in SMALL and TAEHV in self._left:
            self._left.remove(TAEHV)
        if not self._left:
            self.away = True
            return self._retry_s
        return self._down()

    def climbs_in(self, up_s: float) -> float | None:
        """Seconds until a step is to be given back to a process that has been up for `up_s`; None for never."""
        if not self.steps or not self._climb_s:
            return None
        return max(self._climb_s * (1 if self._tried else self._patience) - up_s, 0.0)

    def climb(self) -> str:
        """Ask more of the next process, by the step taken last, which is returned."""
        if self._tried:  # the process with the step before given back has lived long enough
            self._patience = 1
        self._tried, self._short_lives, self.away = True, 0, False
        *steps, last = self.steps
        self.steps = tuple(steps)
        self._left.insert(0, last)
        return last

    def _down(self) -> float:
        self._short_lives = 0
        self.steps += (self._left.pop(0),)
        return 0.0
