"""Asking less of the machine, step by step, where the engine does not last at what was asked."""

from __future__ import annotations

from collections.abc import Sequence

from sdv2_live.gpu.geometry import MULTIPLE, shrunk
from sdv2_live.settings import Config

TAEHV = "taehv"
SMALL = (TAEHV, "lighttae")  # autoencoders beside which that step gains nothing
STABLE_S = 120.0  # a process that was up for so long did not crash for what was asked of it


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


class Recovery:
    """Decides, after each end of the engine's process, when it starts anew and how much is asked of it then.

    crashes: short lives in a row before a step is taken. retry_s: pause when no step is left.
    """

    def __init__(self, crashes: int, ladder: Sequence[str], retry_s: float) -> None:
        self.steps: tuple[str, ...] = ()  # taken so far
        self.away = False  # no step is left: the engine stays away between the tries
        self._crashes = crashes
        self._left = list(ladder)
        self._retry_s = retry_s
        self._short_lives = 0

    def ended(self, lived_s: float, vae: str = "") -> float:
        """A process ended that had been up for `lived_s` seconds. Returns the seconds until the next.

        vae: the autoencoder it had, so that no step is taken that changes nothing.
        """
        if lived_s >= STABLE_S:
            self._short_lives, self.away = 0, False
        self._short_lives += 1
        if self._short_lives < self._crashes:
            return float(2 ** (self._short_lives - 1) - 1)  # at once, then 1 s, 3 s ...
        if vae in SMALL and TAEHV in self._left:
            self._left.remove(TAEHV)
        if not self._left:
            self.away = True
            return self._retry_s
        self._short_lives = 0
        self.steps += (self._left.pop(0),)
        return 0.0
