"""Bytes of tensors that are alive, op by op, on any device: also on meta, where models have sizes and no memory."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """Counts the storages that ops make within it, from allocation to release.

    Of what ops allocate and free internally, the copies that convolutions make in a layout of their own are counted as twice
    the input and once the output; matrix products count nothing. (On a CPU torch unfolds small 3-d convolutions in fp32, narrow
    ones or of small pictures, which takes three times as much; large ones agree.)

    Attributes:
        tensors: the most that were alive at once.
        peak: the most bytes allocated at once, with the internal allocations of ops.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = self.tensors = 0
        self._seen: weakref.WeakSet[Any] = weakref.WeakSet()

    def know(self, tensors: Iterable[Tensor]) -> None:
        """These were there before and are not counted, nor are views of them."""
        for tensor in tensors:
            self._seen.add(tensor.untyped_storage())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with self:  # in inference mode, ops made of others arrive whole
            out = func.decompose(*args, **(kwargs or {}))
        if out is not NotImplemented:
            return out
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                self._count(tensor)
        if func is torch.ops.aten.convolution.default:
            self.peak = max(self.peak, self.live + 2 * args[0].nbytes + out.nbytes)
        return out

    def _count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage in self._seen:
            return
        self._seen.add(storage)
        size = storage.nbytes()
        self.live += size
        self.tensors = max(self.tensors, self.live)
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._end, size)

    def _end(self, size: int) -> None:
        self.live -= size


class FusedAttention(TorchFunctionMode):
    """Stands in for attention on meta as fused kernels do it on a GPU: the output and one number a query, no score matrix."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.scaled_dot_product_attention:
            query: Tensor = args[0]
            statistics = query.new_empty(query.shape[:-1], dtype=torch.float32)
            out = torch.empty_like(query)
            del statistics
            return out
        return func(*args, **(kwargs or {}))


def peak_of(run: Callable[[], Any], there: Iterable[Tensor] = ()) -> tuple[int, int]:
    """Bytes at the peak of a call, and bytes that outlive it with its result, beyond the tensors that are `there` before it."""
    seen, left = seen_of(run, there)
    return seen.peak, left


def seen_of(run: Callable[[], Any], there: Iterable[Tensor] = ()) -> tuple[LiveBytes, int]:
    """The same, with all that was counted."""
    with LiveBytes() as bytes_:
        bytes_.know(there)
        kept = run()
        left = bytes_.live
        del kept
    return bytes_, left
