"""Repeats of the newest frame for an input that sends only changes, at the declared rate or a little faster."""

from __future__ import annotations

from sdv2_live.frame import Frame

SILENT_S = 0.25  # a stream's frames may be so late, or two frame times; what is silent for longer sends on change
SLOWEST = 10  # repeats a second, even if a sender declares fewer: a control change shows with the next chunk


class Still:
    """The newest frame, and the times at which it is due again, in monotonic nanoseconds.

    A lone frame in a silence is repeated at once, so that it fills a chunk; two in a row end the silence.
    """

    def __init__(self) -> None:
        self._newest: Frame | None = None
        self._silent = self._repeated = False
        self._due_at = 0

    def came(self, frame: Frame, now: int) -> None:
        """Take in a new frame of the source."""
        self._silent &= self._repeated
        self._newest, self._repeated = frame, False
        interval = self.interval
        late = interval // 2 if self._silent else max(interval, int(SILENT_S * 1e9) - interval)
        self._due_at = now + interval + late

    @property
    def interval(self) -> int:
        """Nanoseconds between repeats; 0 before the first frame."""
        return int(1e9 / max(float(self._newest.rate), SLOWEST)) if self._newest is not None else 0

    @property
    def silent(self) -> bool:
        """True while repeats are given, even when lone frames come among them."""
        return self._silent

    @property
    def repeated(self) -> bool:
        """True when the newest frame was given again."""
        return self._repeated

    def wait_s(self, now: int, longest: float) -> float:
        """Seconds until the next repeat, at most `longest`."""
        return min(max(self._due_at - now, 0) / 1e9, longest) if self._newest is not None else longest

    def again(self, now: int) -> Frame | None:
        """The newest frame with the time `now`, if it is due again."""
        if self._newest is None or now < self._due_at:
            return None
        self._silent = self._repeated = True
        late = now - self._due_at
        self._due_at = (now if late > self.interval else self._due_at) + self.interval
        return self._newest.at(rate=self._newest.rate, captured_ns=now, index=self._newest.index)
