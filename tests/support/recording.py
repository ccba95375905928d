"""A CUDA graph's like on the CPU: what was captured is run again op by op, with the addresses and numbers it had then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

READS = ("aten._local_scalar_dense", "aten.item", "aten.is_nonzero", "aten.nonzero", "aten.equal", "aten.masked_select")


class HostReadError(AssertionError):
    """Something captured has read device memory on the host."""


class _Tape(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Callable[[], None]] = []
        self._made: set[int] = set()  # memory of the recording's own
        self._before: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}  # memory that it wrote, as it was

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if str(func).startswith(READS):
            raise HostReadError(str(func))
        for i, argument in enumerate(func._schema.arguments):
            if argument.is_write:
                self._keep(args[i] if i < len(args) else kwargs[argument.name])
        out = func(*args, **kwargs)
        there = {t.untyped_storage().data_ptr() for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        results = [t for t in tree_leaves(out) if isinstance(t, Tensor)]
        fresh = [t.untyped_storage().data_ptr() not in there for t in results]
        self._made |= {t.untyped_storage().data_ptr() for t in results} - there
        if func._schema.is_mutable:
            self.steps.append(lambda: func(*args, **kwargs))
        elif any(fresh):
            self.steps.append(lambda: self._again(func, args, kwargs, results))
        return out

    def _keep(self, written: Tensor) -> None:
        storage = written.untyped_storage()
        if storage.data_ptr() not in self._made:
            self._before.setdefault(storage.data_ptr(), (storage, storage.clone()))

    def undo(self) -> None:
        """Make all memory that was there before what it was: a capture runs nothing."""
        for storage, before in self._before.values():
            storage.copy_(before)

    @staticmethod
    def _again(func: Any, args: Any, kwargs: Any, results: list[Tensor]) -> None:
        again = [t for t in tree_leaves(func(*args, **kwargs)) if isinstance(t, Tensor)]
        for mine, new in zip(results, again, strict=True):
            mine.copy_(new)


class RecordingCapture:
    """A `Capture`."""

    def __init__(self) -> None:
        self.captures = self.replays = 0

    def __call__(self, function: Callable[[], Tensor]) -> Callable[[], Tensor]:
        with _Tape() as tape:
            result = function()
        tape.undo()
        self.captures += 1

        @torch.inference_mode()
        def replay() -> Tensor:
            self.replays += 1
            for step in tape.steps:
                step()
            return result

        return replay
