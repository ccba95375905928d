"""The parameter names of one show: the table's names, their aliases, and `lora/<name>/scale` for the loaded LoRAs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType

from sdv2_live.control.params import ALIASES, PARAMS, ParamSpec, Value, spec_of
from sdv2_live.errors import ParamError
from sdv2_live.wording import nearest, shown

LORA = "lora/{}/scale"
_BEFORE, _, _AFTER = LORA.partition("{}")


class ParamNames:
    """Names of parameters, and of models. `ParamNames()` has those that every show has.

    Attributes:
        loras: names in the order of `model.loras`; the i-th, from 1, is the parameter `lora/i/scale`.
        merged: LoRAs that are part of the weights, so that their scale is fixed.
        models: profiles for which presets may have values of their own; none: not known, and any will do.
    """

    def __init__(self, loras: Sequence[str] = (), merged: Collection[str] = (), models: Collection[str] = ()) -> None:
        self.loras = tuple(loras)
        self.models = tuple(models)
        named = {LORA.format(name): LORA.format(number) for number, name in enumerate(loras, start=1)}
        self.aliases: Mapping[str, str] = MappingProxyType({**ALIASES, **named})
        self.merged: Mapping[str, str] = MappingProxyType({named[LORA.format(name)]: name for name in merged})
        self._spoken = {number: name for name, number in named.items()}

    def __iter__(self) -> Iterator[str]:
        """Every name that can be set: those of the table, then those of the LoRAs."""
        yield from (name for name in PARAMS if name not in self.merged)
        yield from (spoken for number, spoken in self._spoken.items() if number not in self.merged)

    def find(self, name: str) -> ParamSpec | None:
        """The table's row for `name`, or None."""
        return PARAMS.get(self.aliases.get(name, name))

    def spec(self, name: str, where: str = "") -> ParamSpec:
        """The table's row for a parameter to set. `where` (an address, a file and line) leads messages.

        Raises:
            ParamError: there is no such parameter (the message names the nearest one), or it is the scale of a merged LoRA.
        """
        known = self.aliases.get(name, name)
        if reason := self.refusal(known):
            raise ParamError(f"{where}: {reason}" if where else reason)
        return spec_of(known, where)

    def refusal(self, name: str) -> str:
        """The reason why the scale of a LoRA cannot be set: it is merged, or not loaded. Empty for every other name."""
        name = self.aliases.get(name, name)
        if name in self.merged:
            return f"the LoRA '{self.merged[name]}' is merged and its scale fixed; give it live: true in model.loras"
        if name in PARAMS or not name.startswith(_BEFORE) or not name.endswith(_AFTER):
            return ""
        lora = name.removeprefix(_BEFORE).removesuffix(_AFTER)
        loaded = f"; the LoRAs are {', '.join(self.loras)}" if self.loras else ""
        return f"model.loras of this show has no {shown(lora)}{nearest(lora, self.loras) or loaded}"

    @property
    def named(self) -> tuple[str, ...]:
        """The table's names of the scales of loaded, unmerged LoRAs."""
        return tuple(number for number in self._spoken if number not in self.merged)

    def told(self, name: str) -> tuple[str, ...]:
        """The names by which a parameter's value is sent: the table's own, and that of its LoRA."""
        return (name, self._spoken[name]) if name in self._spoken else (name,)

    def all_of(self, name: str) -> tuple[str, ...]:
        """Every name of one parameter, its own first."""
        return (name, *(alias for alias, meant in self.aliases.items() if meant == name))

    def meant(self, spec: ParamSpec, value: object) -> object:
        """A value as the table has it: a target of modulation can be named by its LoRA."""
        return self.aliases.get(value, value) if spec.field == "mod_target" and isinstance(value, str) else value

    def kept_value(self, spec: ParamSpec, value: Value) -> Value:
        """A value as a file keeps it: a target of modulation by its LoRA's own name."""
        return self.kept(str(value)) if spec.field == "mod_target" else value

    def kept(self, name: str) -> str:
        """The name by which a file keeps the parameter: a LoRA's own, which stays valid when the order of LoRAs changes."""
        return self._spoken.get(name, name)


TABLE = ParamNames()
