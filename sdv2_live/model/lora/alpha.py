"""The training scale of a LoRA file whose tensors do not tell it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from sdv2_live.errors import WeightsError
from sdv2_live.model.lora.keys import split

METADATA = "lora_adapter_metadata"  # diffusers' place for the PEFT configuration
PEFT_FILE, PEFT_CONFIG = "adapter_model.safetensors", "adapter_config.json"
MAX_PATTERNS = 4096  # in a PEFT configuration; a model has some hundred modules


class Alphas:
    """The training scales that a file without alpha tensors states elsewhere."""

    def __init__(self, path: Path, metadata: Mapping[str, str], alpha: float | None = None) -> None:
        """alpha: of modules of which nobody else says it."""
        self._path = path
        config: dict[str, Any] = {}
        beside = path.with_name(PEFT_CONFIG)
        try:
            if METADATA in metadata:
                config = json.loads(metadata[METADATA])
            elif path.name == PEFT_FILE and beside.is_file():
                config = json.loads(beside.read_text(encoding="utf-8"))
            given = {key.removeprefix("transformer."): value for key, value in config.items()}
            self._alpha = alpha if given.get("lora_alpha") is None else float(given["lora_alpha"])
            patterns = given.get("alpha_pattern") or {}
            self._patterns = [(_Pattern(pattern), float(alpha)) for pattern, alpha in patterns.items()]
            self._root = bool(given.get("use_rslora"))
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError, OSError) as error:
            reason = "it is nested too deep" if isinstance(error, RecursionError) else error
            raise WeightsError(f"{path}: its LoRA configuration cannot be read ({reason}); export the LoRA again") from error
        if len(self._patterns) > MAX_PATTERNS:
            raise WeightsError(f"{path}: its alpha_pattern has {len(patterns)} entries; export the LoRA again with less")
        if given.get("use_dora"):
            raise WeightsError(f"{path}: was trained with DoRA, which is not supported; give a plain LoRA")

    def factor(self, key: str, rank: int, alpha: tuple[str, Tensor] | None) -> float:
        """alpha / rank for the module that `key` names in the file; with rank-stabilised scaling alpha / sqrt(rank).

        Args:
            key: a key of the file.
            rank: of the module's matrices.
            alpha: key and tensor of alpha, where the file has one.

        Raises:
            WeightsError: alpha is no finite number.
        """
        if alpha is not None:
            where, tensor = alpha
            if tensor.numel() != 1 or tensor.is_complex():
                raise WeightsError(f"{self._path}: {where} {list(tensor.shape)} is not one number; export the LoRA again")
            return self._finite(float(tensor.item()), where) / rank
        known = split(key)
        module = known[0] if known else key
        chosen = next((value for pattern, value in self._patterns if pattern.names(module)), self._alpha)
        return 1.0 if chosen is None else self._finite(chosen, f"alpha of {key}") / (math.sqrt(rank) if self._root else rank)

    def _finite(self, value: float, where: str) -> float:
        if not math.isfinite(value):
            raise WeightsError(f"{self._path}: {where} is {value}, no finite number; the file is damaged, fetch it again")
        return value


class _Pattern:
    """An entry of PEFT's alpha_pattern: the end of module names.

    PEFT takes it for a regular expression. Exporters write names, some with escaped dots, `^` or `$` at their ends, or `.*` for
    whatever is there. That much is read, in one pass over the name.
    """

    def __init__(self, pattern: str) -> None:
        """Raises ValueError for any other expression."""
        self._pieces = pattern.removeprefix("^").removesuffix("$").replace("\\.", ".").split(".*")
        if any(char in "\\[](){}|+*?^$" for piece in self._pieces for char in piece):
            raise ValueError(f"alpha_pattern {pattern[:60]!r} is no module's name")

    def names(self, module: str) -> bool:
        """True when the pattern means this module. The pieces are looked for from the left, each once."""
        text, first = f".{module}", f".{self._pieces[0]}"
        if len(self._pieces) == 1:
            return text.endswith(first)
        begin = text.find(first)
        if begin < 0:
            return False
        at = begin + len(first)
        for piece in self._pieces[1:-1]:
            begin = text.find(piece, at)
            if begin < 0:
                return False
            at = begin + len(piece)
        return text.endswith(self._pieces[-1]) and len(text) - len(self._pieces[-1]) >= at
