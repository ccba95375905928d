"""Tensors of the simulated device: shape, strides, dtype and memory, and no numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fakecuda.device import CUDA, device


class Layout(NamedTuple):
    """What an operation's result depends on, and what it is, apart from its memory."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype


def layout_of(x: Tensor) -> Layout:
    """The layout of any tensor."""
    return Layout(tuple(x.shape), x.stride(), x.dtype)


class DeviceTensor(Tensor):
    """A tensor on `cuda`.

    Attributes:
        meta: its counterpart on PyTorch's meta device, which shares memory with those of the tensors that this one does with.
        layout_: of both.
    """

    meta: Tensor
    layout_: Layout

    @staticmethod
    def __new__(cls, meta: Tensor) -> DeviceTensor:
        layout: dict[str, Any] = {"strides": meta.stride(), "storage_offset": meta.storage_offset(), "dtype": meta.dtype}
        with torch.inference_mode(False):  # else views of tensors that were made outside of it would not be allowed in it
            self: DeviceTensor = Tensor._make_wrapper_subclass(cls, meta.shape, device=CUDA, **layout)
        self.meta, self.layout_ = meta, layout_of(meta)
        return self

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        raise AssertionError(f"{func} is called on a thread whose tensors are not watched")

    # What does not pass through PyTorch's dispatcher, or not as an operation of its own.

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"DeviceTensor({tuple(self.shape)}, {self.dtype})"

    @property
    def data(self) -> Tensor:
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> None:
        assert isinstance(value, DeviceTensor)
        Tensor.data.__set__(self, value)  # type: ignore[attr-defined]
        self.meta, self.layout_ = value.meta, value.layout_

    def untyped_storage(self) -> torch.UntypedStorage:
        return self.meta.untyped_storage()

    def data_ptr(self) -> int:
        return device.memory(self).base + int(self.storage_offset()) * self.itemsize

    def contiguous(self, memory_format: torch.memory_format = torch.contiguous_format) -> Tensor:
        return self if self.is_contiguous(memory_format=memory_format) else self.clone(memory_format=memory_format)

    def record_stream(self, stream: Any) -> None:
        device.memory(self).recorded.add(stream.id)

    def item(self) -> Any:
        return torch.ops.aten._local_scalar_dense(self)

    def cpu(self, *_: Any) -> Tensor:
        return self.to("cpu")

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        return bool(self.item())

    def __index__(self) -> int:
        return int(self.item())


def empty(layout: Layout) -> DeviceTensor:
    """A new tensor."""
    return DeviceTensor(torch.empty_strided(layout.shape, layout.stride, dtype=layout.dtype, device="meta"))


def tensors(tree: Any) -> list[Tensor]:
    """All tensors in nested lists, tuples and dictionaries, as operations are given them."""
    if isinstance(tree, Tensor):
        return [tree]
    if isinstance(tree, (list, tuple)):
        return [x for item in tree if not isinstance(item, (int, float)) for x in tensors(item)]
    return tensors(tuple(tree.values())) if isinstance(tree, dict) else []


def mapped(change: Callable[[Any], Any], tree: Any) -> Any:
    """The same tree with every leaf changed."""
    if type(tree) in (list, tuple):
        return type(tree)([mapped(change, item) for item in tree])
    if isinstance(tree, dict):
        return {key: mapped(change, item) for key, item in tree.items()}
    return change(tree)
