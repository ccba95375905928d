"""The daemon's parameters, as far as this end knows them."""

from __future__ import annotations

from sdv2_live.control.params import Value

HOLD_S = 0.5  # longer than an echo takes: 30 flushes a second, eight messages each


class Mirror:
    """Values by parameter name. A value sent from here counts at once; `HOLD_S` later the daemon's value counts again.

    Between the two, the echo of an earlier position of a moving fader would otherwise pull it back.
    """

    def __init__(self) -> None:
        self._told: dict[str, Value] = {}
        self._sent: dict[str, tuple[Value, float]] = {}

    def tell(self, name: str, value: Value) -> None:
        """Take in the daemon's report that `name` is `value`."""
        self._told[name] = value

    def send(self, name: str, value: Value, now: float) -> None:
        """Note that `value` was sent to `name` at `now`, in seconds."""
        self._sent[name] = value, now

    def value(self, name: str) -> Value | None:
        """The value that counts; None when nothing is known."""
        return self._sent[name][0] if name in self._sent else self._told.get(name)

    def settle(self, now: float) -> list[str]:
        """Forget values sent more than `HOLD_S` ago. Returns the names whose value this changes."""
        old = [name for name, (_, at) in self._sent.items() if now - at >= HOLD_S]
        changed = [name for name in old if self._sent.pop(name)[0] != self._told.get(name)]
        return changed

    @property
    def due(self) -> float | None:
        """Time of the next `settle` with something to do, on the clock of `now`; None for never."""
        return min((at + HOLD_S for _, at in self._sent.values()), default=None)
