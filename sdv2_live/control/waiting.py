"""What waits for the beat: parameters with their values to come, and actions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from sdv2_live.control.params import PARAMS, Applies, Value
from sdv2_live.stats import total

Call = Callable[[bool], None]


@dataclass(slots=True)
class LaunchCounters:
    """Totals since start."""

    launched: int = total("Times that something was launched on the beat.")
    cancelled: int = total("Changes that waited for the beat and were cancelled, or replaced by a later one.")
    postponed: int = total("Launches that waited one grid line longer, because a prompt was not encoded yet.")
    lost: int = total("Changes that could not be made any more when their beat came.")


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits, by parameter or action in the order of the hand, all for one boundary.

    Attributes:
        values: in the parameters' own types; of an action, what it was asked with.
        calls: carry out the actions; given whether it is the beat that does so, at the time of a chunk.
        beat: the boundary's count of beats.
    """

    values: Mapping[str, Value] = field(default_factory=dict)
    calls: Mapping[str, Call] = field(default_factory=dict)
    beat: float = 0.0

    @property
    def params(self) -> dict[str, Value]:
        """The parameters alone."""
        return {name: value for name, value in self.values.items() if name not in self.calls}

    @property
    def painted(self) -> frozenset[str]:
        """All but what acts on the output itself."""
        return frozenset(name for name in self.values if name in self.calls or PARAMS[name].applies is not Applies.AT_ONCE)

    def only(self, names: Collection[str]) -> Waiting:
        """These of them."""
        values = {name: value for name, value in self.values.items() if name in names}
        return replace(self, values=values, calls={name: call for name, call in self.calls.items() if name in names})

    def without(self, names: Collection[str]) -> Waiting:
        """The rest."""
        return self.only(self.values.keys() - frozenset(names))

    def also(self, name: str, value: Value, call: Call | None = None) -> Waiting:
        """With one more, or another value of one."""
        rest = self.without({name})
        calls = rest.calls if call is None else {**rest.calls, name: call}
        return replace(self, values={**rest.values, name: value}, calls=calls)
