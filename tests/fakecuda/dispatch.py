"""PyTorch's operations on the simulated device: what they read, write, wait for and have to choose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from fakecuda.device import device
from fakecuda.tensor import DeviceTensor, Layout, empty, layout_of, mapped, tensors

aten = torch.ops.aten

NOTHING_DONE = {"detach", "alias", "lift_fresh", "empty", "empty_strided", "new_empty", "empty_like", "new_empty_strided"}
PRODUCTS = {"mm", "addmm", "bmm", "baddbmm", "_scaled_mm", "_addmm_activation"}
ATTENTIONS = {"_scaled_dot_product_flash_attention", "_scaled_dot_product_efficient_attention"}
WAITS = {"nonzero", "masked_select", "unique", "_unique2", "_local_scalar_dense"}
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}
NUMBER = 0.05  # what tensors are full of that are copied back: a plausible motion, or pixel


class Watch(TorchDispatchMode):
    """Carries operations out on the simulated device, for the thread that enters it."""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        to = kwargs.get("device")
        to_device = to is not None and torch.device(to).type == "cuda"
        if func.namespace != "aten":
            return func(*args, **kwargs)
        if _composed(func):
            with self:
                return func.decompose(*args, **kwargs)
        if not to_device and not any(isinstance(x, DeviceTensor) for x in tensors((args, kwargs))):
            return _on_host(func, args, kwargs)
        name = func.overloadpacket.__name__
        if name == "_to_copy":
            return _to_copy(func, args, kwargs)
        if name == "copy_" and not all(isinstance(x, DeviceTensor) for x in args[:2]):
            return _copy(args[0], args[1], bool(args[2] if len(args) > 2 else kwargs.get("non_blocking")))
        _waited(name, args)
        if name == "_local_scalar_dense":
            return _number(args[0])
        if name == "is_pinned":
            return False
        out = _convolved(*args) if name == "convolution" else _shaped(func, args, kwargs)
        if name in NOTHING_DONE:
            for x in tensors(out):
                device.memory(x)
        elif not func.is_view:
            _launched(func, name, args, kwargs, out)
        return out


@cache
def _composed(func: Any) -> bool:
    """True for an operation that is made of others."""
    has = torch._C._dispatch_has_kernel_for_dispatch_key
    return bool(has(func.name(), "CompositeImplicitAutograd")) and not has(func.name(), "CPU")


def _waited(name: str, args: Sequence[Any]) -> None:
    """Have the thread wait where an operation needs what is on the device, or must be told what is on the host."""
    if name in WAITS:
        device.wait(name, [device.current])
    if name in INDEXING and any(isinstance(x, Tensor) and not isinstance(x, DeviceTensor) for x in args[1]):
        device.wait(f"{name} by indices on the host", [device.current])


def _shaped(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """The result of an operation, by PyTorch's own rules for shapes, strides and dtypes (its meta device).

    Raises TypeError where a tensor on the CPU is mixed in; a single number may be.
    """
    if func.is_view:
        return mapped(lambda x: DeviceTensor(x) if isinstance(x, Tensor) else x, _on_meta(func, args, kwargs))
    key = (func, _kind(args), _kind(tuple(kwargs.items())))
    if key not in _results:
        _results[key] = mapped(lambda x: layout_of(x) if isinstance(x, Tensor) else x, _on_meta(func, args, kwargs))
    written = [args[i] if i < len(args) else kwargs[name] for i, name in _written(func)]
    if written and func._schema.returns:
        return written[0] if len(func._schema.returns) == 1 else tuple(written)
    return mapped(lambda x: empty(x) if isinstance(x, Layout) else x, _results[key])


_results: dict[Any, Any] = {}  # of operations by the kinds of their arguments: many of PyTorch's rules are slow


@cache
def _written(func: Any) -> list[tuple[int, str]]:
    """The arguments that an operation writes, by number and name."""
    arguments = enumerate(func._schema.arguments)
    return [(i, each.name) for i, each in arguments if each.alias_info is not None and each.alias_info.is_write]


def _kind(x: Any) -> Any:
    """All of an argument that the result's shape, strides and dtype may depend on."""
    if isinstance(x, DeviceTensor):
        return x.layout_
    if isinstance(x, Tensor):
        return layout_of(x)
    return tuple(map(_kind, x)) if isinstance(x, (list, tuple)) else (type(x), x)


def _on_meta(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    def on_meta(x: Any) -> Any:
        if isinstance(x, DeviceTensor):
            return x.meta
        if isinstance(x, Tensor) and (x.ndim == 0 or func.overloadpacket.__name__ in INDEXING):
            return x.to("meta")
        if isinstance(x, Tensor):
            raise TypeError(f"{func} mixes tensors on the device and a tensor {tuple(x.shape)} on {x.device}")
        return torch.device("meta") if isinstance(x, torch.device) else x

    return func(*mapped(on_meta, tuple(args)), **mapped(on_meta, kwargs))


def _launched(func: Any, name: str, args: Sequence[Any], kwargs: dict[str, Any], out: Any) -> None:
    """Record the kernel of an operation by its schema: arguments that it writes, and those that it reads."""
    reads, writes = list[Tensor](), [x for x in tensors(out) if isinstance(x, DeviceTensor)]
    changed = _written(func)
    for i, argument in enumerate(func._schema.arguments):
        value = args[i] if i < len(args) else kwargs.get(argument.name)
        if isinstance(value, (Tensor, list, tuple)):
            (writes if (i, argument.name) in changed else reads).extend(x for x in tensors(value) if isinstance(x, DeviceTensor))
    if name in PRODUCTS:
        device.meet(f"product {name} {_layouts(reads)}")
    if name in ATTENTIONS:
        device.meet(f"attention {name} {_layouts(reads)}")
    device.launch(name, map(device.memory, reads), map(device.memory, writes))


def _layouts(given: Sequence[Tensor]) -> str:
    """Shapes, orders in memory and dtype: what a library chooses its kernel by."""
    shapes = (f"{'x'.join(map(str, x.shape))}{'' if x.is_contiguous() else f' by {x.stride()}'}" for x in given)
    return f"{', '.join(shapes)} {str(given[0].dtype)[6:]}"


def _convolved(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    _output_padding: list[int],
    groups: int,
) -> Tensor:
    """The output of a convolution, laid out as cuDNN does it: channels innermost where input or weight has them so."""
    assert x.dtype == weight.dtype, (x.dtype, weight.dtype)
    assert not transposed
    sides = x.ndim - 2
    last = torch.channels_last if sides == 2 else torch.channels_last_3d
    layout = last if any(t.is_contiguous(memory_format=last) and t.stride(1) == 1 for t in (x, weight)) else None
    size = [
        (x.shape[2 + i] + 2 * padding[i] - dilation[i] * (weight.shape[2 + i] - 1) - 1) // stride[i] + 1 for i in range(sides)
    ]
    device.meet(f"convolution {_layouts([x, weight])} stride {stride} padding {padding} groups {groups} bias {bias is not None}")
    out = torch.empty((x.shape[0], weight.shape[0], *size), dtype=x.dtype, device="meta")
    return DeviceTensor(out.contiguous(memory_format=layout or torch.contiguous_format))


def attention(real: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """PyTorch's attention, on the simulated device in the layout of the fused kernels."""

    def run(q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None, *args: Any, **kwargs: Any) -> Tensor:
        if not isinstance(q, DeviceTensor):
            return real(q, k, v, attn_mask, *args, **kwargs)
        given = [q, k, v, *([] if attn_mask is None else [attn_mask])]
        assert all(isinstance(x, DeviceTensor) for x in given)
        assert len({x.dtype for x in given}) == 1, [x.dtype for x in given]
        device.meet(f"attention {_layouts(given)}")
        rows = DeviceTensor(torch.empty((q.shape[0], q.shape[2], q.shape[1], v.shape[3]), dtype=q.dtype, device="meta"))
        out = rows.transpose(1, 2)
        device.launch("attention", map(device.memory, given), [device.memory(out)])
        return out

    return run


# --- between host and device


def _on_host(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """An operation on the CPU: page-locked memory is ordinary memory, watched."""
    if kwargs.get("pin_memory"):
        return device.pin(func(*args, **(kwargs | {"pin_memory": False})))
    if func is aten.is_pinned.default:
        return device.pinned(args[0]) is not None
    if func is aten._pin_memory.default:
        return device.pin(args[0].clone())
    if not func.is_view:
        for i, argument in enumerate(func._schema.arguments):
            value = args[i] if i < len(args) else kwargs.get(argument.name)
            if isinstance(value, Tensor) and (memory := device.pinned(value)) is not None:
                device.touch(memory, write=(i, argument.name) in _written(func), what=func.overloadpacket.__name__)
    return func(*args, **kwargs)


def _to_copy(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
    x, to, waits = args[0], kwargs.get("device"), not kwargs.get("non_blocking")
    dtype = kwargs.get("dtype") or x.dtype
    if not isinstance(x, DeviceTensor):
        up = empty(Layout(tuple(x.shape), x.stride(), dtype))
        _transferred(x, up, up=True, waits=waits)
        return up
    if to is not None and torch.device(to).type == "cpu":
        down = torch.full(x.shape, NUMBER if dtype.is_floating_point else 0).to(dtype)
        _transferred(down, x, up=False, waits=True)
        return down
    out: Tensor = _shaped(func, args, kwargs)
    device.launch("_to_copy", [device.memory(x)], [device.memory(out)])
    return out


def _copy(to: Tensor, source: Tensor, non_blocking: bool) -> Tensor:
    up = isinstance(to, DeviceTensor)
    host, there = (source, to) if up else (to, source)
    if up and host.ndim == 0 and not host.requires_grad:
        device.launch("fill_", [], [device.memory(there)])  # as a number among the kernel's arguments
        return to
    _transferred(host, there, up=up, waits=not non_blocking)
    if not up:
        host.fill_(NUMBER if host.is_floating_point() else 0)
    return to


def _transferred(host: Tensor, there: Tensor, *, up: bool, waits: bool) -> None:
    """A copy across the bus. By itself it waits for nothing only from and to page-locked memory."""
    page, memory = device.pinned(host), device.memory(there)
    if device.capture is not None:
        device.note("forbidden", "copy between host and device")
    host_side = [] if page is None else [page]
    name = "copy to the device" if up else "copy to the host"
    device.launch(name, host_side if up else [memory], [memory] if up else host_side)
    if page is None or waits:
        device.wait(f"{name} from {'ordinary' if page is None else 'page-locked'} memory", [device.current])


def _number(x: Tensor) -> float | bool | int:
    """The value of `item`: as an error, none at all; as a condition, met."""
    return 0.0 if x.is_floating_point() else x.dtype is torch.bool
