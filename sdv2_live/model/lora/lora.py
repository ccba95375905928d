"""LoRAs in a causal DiT: merged into its weights, or live beside them with a scale that may change at any chunk.

Merged costs nothing and is fixed. Live keeps A and B: each layer adds B (scale * A x) to what it gives, in whatever precision
the layer itself computes, at 2 * rank * (in + out) operations a token: for rank 32 about 3 % of the layers' own. The scale is
in device memory, so that a change waits for nothing, moves nothing, and reaches a captured graph too. What is no low-rank
change of a linear layer (biases, norms, modulations, the patch embedding) is small: there the parameter is rewritten, in place.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdv2_live.errors import WeightsError
from sdv2_live.model.checkpoints.assign import on_meta
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.lora.file import SHOWN, LoraFile, LowRank, read_lora

log = logging.getLogger("sdv2_live.lora")

_TEXT = re.compile(r"^text_embedding\.|\.cross_attn\.(k|v|norm_k)\.")  # what a prompt's keys and values are computed with


@dataclass(frozen=True, slots=True)
class LoraSource:
    """A LoRA to load.

    Attributes:
        name: the performer's name for it.
        scale: of a merged LoRA; a live one gets its scale with every chunk.
        alpha: where its file does not say it; None: the rank.
    """

    name: str
    file: Path
    scale: float = 1.0
    live: bool = True
    alpha: float | None = None


class LoraLinear(nn.Module):
    """A linear layer with the live LoRAs that change it, one below the other in A and B.

    down: (R, in), up: (out, R), scale: (R,), R the sum of their ranks. `base` may be any layer that maps (..., in) to
    (..., out) in the dtype of its input.
    """

    down: Tensor
    up: Tensor
    scale: Tensor

    def __init__(self, base: nn.Module, down: Tensor, up: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.base = base
        for name, tensor in (("down", down), ("up", up), ("scale", scale)):
            self.register_buffer(name, tensor, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.base(x)
        self.add_(y, x)
        return y

    def add_(self, y: Tensor, x: Tensor) -> None:
        """Add the LoRAs' share for the input x to y (..., out): the base's own new tensor, or a part of a wider one."""
        low = F.linear(x, self.down) * self.scale
        y.view(-1, y.shape[-1]).addmm_(low.flatten(0, -2), self.up.t())


@dataclass(frozen=True, slots=True)
class _Layer:
    """The rows of one LoraLinear that belong to each LoRA: (index, first row, end)."""

    module: LoraLinear
    rows: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class _Shifted:
    """A parameter that is rewritten: its own values, and each LoRA's addition, by index; float32."""

    tensor: Tensor
    base: Tensor
    deltas: Mapping[int, Tensor]


@dataclass
class LoraSet:
    """The LoRAs of one model, in the order of the configuration. `LoraSet()`: none. Belongs to the thread that runs the model.

    digests: name and the first 16 digits of the file's SHA-256, of each.
    """

    digests: tuple[str, ...] = ()
    _layers: tuple[_Layer, ...] = ()
    _shifted: tuple[_Shifted, ...] = ()
    _text: tuple[int, ...] = ()  # live LoRAs that change what prompts' keys and values are computed with
    _scales: dict[int, float] = field(default_factory=dict)  # in effect, of the live ones, by index

    def changed_by(self, scales: Sequence[float]) -> bool:
        """True when `apply` would write anything."""
        return any(scales[index] != scale for index, scale in self._scales.items())

    @torch.inference_mode()
    def apply(self, scales: Sequence[float]) -> tuple[float, ...]:
        """Put the scales of the live LoRAs into effect, `scales[i]` for the i-th of all. In place; never waits for the device.

        Returns the scales on which prompts' cross-attention keys and values depend: made with others, they are out of date.
        """
        changed = {index for index, scale in self._scales.items() if scales[index] != scale}
        if changed:
            self._scales = {index: scales[index] for index in self._scales}
            self._fill()
            for shifted in self._shifted:
                if changed & shifted.deltas.keys():
                    self._rewrite(shifted)
        return tuple(self._scales[index] for index in self._text)

    def _fill(self) -> None:
        """Write the scales; layers that have the same LoRAs at the same ranks share one tensor."""
        for layer in {layer.module.scale.data_ptr(): layer for layer in self._layers}.values():
            for index, first, end in layer.rows:
                layer.module.scale[first:end].fill_(self._scales[index])

    def _rewrite(self, shifted: _Shifted) -> None:
        value = shifted.base.float()
        for index, delta in shifted.deltas.items():
            value = torch.add(value, delta, alpha=self._scales[index])
        shifted.tensor.copy_(value)


Loaded = Sequence[tuple[LoraSource, LoraFile]]


def read_loras(dit: CausalDiT, sources: Sequence[LoraSource]) -> Loaded:
    """The files, checked against a model of these sizes; what fits no part of it is logged. Raises WeightsError."""
    if not sources:
        return ()
    shapes = _shapes(dit)
    loras = [(source, read_lora(source.file, shapes, source.alpha)) for source in sources]
    for source, file in loras:
        for key, pair in file.low_rank.items():
            _require_range(max(pair.down, pair.up, key=_largest), dit.dtype, f"{source.file}: what it adds to {key}")
        for key, shift in file.shifts.items():
            _require_range(shift, dit.dtype, f"{source.file}: what it adds to {key}")
        _report(source, file)
    return loras


@torch.no_grad()
def merge_loras(dit: CausalDiT, loras: Loaded) -> None:
    """Add those that are not live to the weights: in float32, all that changes a weight together, rounded once."""
    merged = [(_here(dit, file), source.scale) for source, file in loras if not source.live and source.scale]
    for key in {key: None for file, _ in merged for key in (*file.low_rank, *file.shifts)}:  # each once, in the files' order
        weight = _tensor(dit, key)
        wide = weight.float().clone()  # of one weight at a time: all of them would need twice the model's memory
        for file, scale in merged:
            if key in file.low_rank:
                wide.add_(_delta(file.low_rank[key], weight), alpha=scale)
            if key in file.shifts:
                wide.add_(file.shifts[key].to(weight.device), alpha=scale)
        names = ", ".join(source.name for source, file in loras if not source.live)
        _require_range(wide, weight.dtype, f"{names}: merged with it, {key}")
        weight.copy_(wide)


@torch.no_grad()
def attach_loras(dit: CausalDiT, loras: Loaded) -> LoraSet:
    """Put the live ones beside the weights, at scale 0."""
    if not loras:
        return LoraSet()
    everywhere = {index: file for index, (source, file) in enumerate(loras) if source.live}
    live = {index: _here(dit, file) for index, file in everywhere.items()}
    linear = {key for key, shape in _shapes(dit).items() if len(shape) == 2 and key.endswith(".weight")}
    shifted = _shifted(dit, live, linear)  # before the layers are wrapped: afterwards a parameter is at another place
    return LoraSet(
        tuple(f"{source.name} {file.sha256[:16]}" for source, file in loras),
        _wrapped(dit, live, linear),
        shifted,
        tuple(index for index, file in everywhere.items() if any(map(_TEXT.search, (*file.low_rank, *file.shifts)))),
        dict.fromkeys(live, 0.0),
    )


def _here(dit: CausalDiT, file: LoraFile) -> LoraFile:
    """The changes of what the model holds: other processes may have the rest of its blocks."""
    low_rank = {key: pair for key, pair in file.low_rank.items() if dit.holds(key)}
    return replace(file, low_rank=low_rank, shifts={key: shift for key, shift in file.shifts.items() if dit.holds(key)})


def _shapes(dit: CausalDiT) -> dict[str, tuple[int, ...]]:
    """Shapes of the parameters of a model of these sizes, in whatever form its weights are kept."""
    return {key: tuple(value.shape) for key, value in on_meta(lambda: CausalDiT(dit.config)).state_dict().items()}


def _report(source: LoraSource, file: LoraFile) -> None:
    ranks = sorted({pair.rank for pair in file.low_rank.values()})
    how = "live" if source.live else f"merged at {source.scale:g}"
    what = f"{len(file.low_rank)} layers of rank {', '.join(map(str, ranks))}" if ranks else "no layers"
    log.info("LoRA %s: %s, %d plain additions, %s, from %s", source.name, what, len(file.shifts), how, source.file)
    if file.unmatched:
        some = ", ".join(file.unmatched[:SHOWN]) + (", ..." if len(file.unmatched) > SHOWN else "")
        log.warning("LoRA %s: %d keys fit no part of this model and are left out: %s", source.name, len(file.unmatched), some)


def _require_range(tensor: Tensor, dtype: torch.dtype, what: str) -> None:
    """Raise WeightsError where a tensor would become infinite in the model's precision, which paints black."""
    largest = _largest(tensor)
    if not largest <= torch.finfo(dtype).max:  # neither is one that is no number
        raise WeightsError(
            f"LoRA {what} is as large as {largest:.3g}, beyond {str(dtype)[6:]}; take another LoRA or a smaller scale"
        )


def _largest(tensor: Tensor) -> float:
    return float(tensor.abs().max())


def _tensor(dit: CausalDiT, key: str) -> Tensor:
    """A parameter that may be written. Raises WeightsError where the weights are kept in a form that cannot take a sum."""
    module, _, leaf = key.rpartition(".")
    tensor = getattr(dit.get_submodule(module), leaf, None)
    plain = type(tensor) in (Tensor, nn.Parameter)  # no subclass, as quantised weights are
    if not isinstance(tensor, Tensor) or not plain or tensor.dtype not in (torch.float32, torch.bfloat16, torch.float16):
        raise WeightsError(
            f"a LoRA adds to {key}, which is quantised; set model.fp8 to false, or use low-rank LoRAs alone, with live: true"
        )
    return tensor


def _delta(pair: LowRank, like: Tensor) -> Tensor:
    """B A in float32, of the shape and on the device of `like`."""
    return (pair.up.to(like.device) @ pair.down.to(like.device)).view_as(like)


def _shifted(dit: CausalDiT, live: Mapping[int, LoraFile], linear: set[str]) -> tuple[_Shifted, ...]:
    """Every parameter that live LoRAs change other than by A and B of a linear layer."""
    deltas: dict[str, dict[int, Tensor]] = {}
    for index, file in live.items():
        for key, shift in file.shifts.items():
            deltas.setdefault(key, {})[index] = shift.to(dit.device)
        for key in file.low_rank.keys() - linear:
            mine = deltas.setdefault(key, {})
            delta = _delta(file.low_rank[key], _tensor(dit, key))
            mine[index] = mine[index] + delta if index in mine else delta
    tensors = {key: _tensor(dit, key) for key in deltas}
    return tuple(_Shifted(tensor, tensor.detach().clone(), deltas[key]) for key, tensor in tensors.items())


def _wrapped(dit: CausalDiT, live: Mapping[int, LoraFile], linear: set[str]) -> tuple[_Layer, ...]:
    """Put a LoraLinear around every linear layer that live LoRAs change."""
    scales: dict[tuple[tuple[int, int], ...], Tensor] = {}
    layers = []
    for key in sorted({key for file in live.values() for key in file.low_rank.keys() & linear}):
        mine = {index: file.low_rank[key] for index, file in live.items() if key in file.low_rank}
        layout = tuple((index, pair.rank) for index, pair in mine.items())
        total = sum(pair.rank for pair in mine.values())
        scale = scales.setdefault(layout, torch.zeros(total, dtype=dit.dtype, device=dit.device))
        down = torch.cat([pair.down for pair in mine.values()]).to(dit.device, dit.dtype)
        up = torch.cat([pair.up for pair in mine.values()], dim=1).to(dit.device, dit.dtype)
        path = key.removesuffix(".weight")
        parent, _, name = path.rpartition(".")
        module = LoraLinear(dit.get_submodule(path), down, up, scale)
        dit.get_submodule(parent).register_module(name, module)  # also where the parent is a Sequential and the name a number
        rows, first = [], 0
        for index, rank in layout:
            rows.append((index, first, first + rank))
            first += rank
        layers.append(_Layer(module, tuple(rows)))
    return tuple(layers)
