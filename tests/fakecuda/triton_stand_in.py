"""Triton's own launcher over the simulated device: what it would compile is written down, and launches are recorded."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor

from fakecuda.device import device
from fakecuda.tensor import DeviceTensor

OPTIONS = ("num_warps", "num_stages", "num_ctas")


class Compiled:
    """In the place of a compiled kernel.

    Attributes:
        about: what it is compiled from: kernel, signature, constants, attributes and options, as compiling.py takes them.
    """

    made: dict[str, Compiled] = {}  # noqa: RUF012 (all of the process)

    def __init__(self, source: Any, options: dict[str, Any]) -> None:
        self._kernel = source.fn
        self.about = {
            "kernel": f"{source.fn.module}:{source.fn.fn.__qualname__}",
            "signature": dict(source.signature),
            "constants": [[list(path), value] for path, value in source.constants.items()],
            "attributes": [[list(path), value] for path, value in source.attrs.items()],
            "options": {name: options[name] for name in OPTIONS},
        }
        self._name = f"kernel {self.about}"
        self.function = self.packed_metadata = None
        self.made[self._name] = self

    def launch_metadata(self, *_: Any) -> None:
        return None

    def run(self, x: int, y: int, z: int, stream: int, *rest: Any) -> None:
        """Launch: the last of `rest` are the kernel's arguments."""
        names = self._kernel.arg_names
        tensors = {name: value for name, value in zip(names, rest[-len(names) :], strict=True) if isinstance(value, Tensor)}
        wrong = [name for name, value in tensors.items() if not isinstance(value, DeviceTensor)]
        assert not wrong, f"{self.about['kernel']} gets {wrong} on the CPU"
        device.meet(self._name)
        written = stored(self._kernel.fn) & tensors.keys()
        reads = [device.memory(value) for value in tensors.values()]
        device.launch(self._kernel.fn.__name__, reads, [device.memory(tensors[name]) for name in sorted(written)])


@cache
def stored(kernel: Callable[..., Any]) -> frozenset[str]:
    """The parameters that a kernel's stores may go to, by its source: what a pointer is computed from, loads left out."""
    function = ast.parse(textwrap.dedent(inspect.getsource(kernel))).body[0]
    origins: dict[str, set[str]] = {name: {name} for name in inspect.signature(kernel).parameters}

    def of(node: ast.AST) -> set[str]:
        if isinstance(node, ast.Name):
            return origins.get(node.id, set())
        if isinstance(node, ast.Call) and _called(node) != "cast":  # a value, whatever it was computed or loaded from
            return set()
        return set[str]().union(*map(of, ast.iter_child_nodes(node)))

    before = None
    while before != (before := sum(map(len, origins.values()))):
        for targets, value in _assignments(function):
            for name in targets:
                origins[name] = origins.get(name, set()) | of(value)
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    stores = (call for call in calls if _called(call) == "store" or _called(call).startswith("atomic_"))
    return frozenset[str]().union(*(of(call.args[0]) for call in stores))


def _assignments(function: ast.AST) -> Iterator[tuple[list[str], ast.AST]]:
    for node in ast.walk(function):
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            yield [node.target.id], node.value
        elif isinstance(node, ast.Assign):
            yield [name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)], node.value


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)


class Driver:
    """The part of a Triton driver that launches need."""

    def __init__(self, capability: tuple[int, int]) -> None:
        self._capability = capability[0] * 10 + capability[1]

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, _: int) -> int:
        return int(device.current.cuda_stream)

    def get_current_target(self) -> Any:
        from triton.backends.compiler import GPUTarget

        return GPUTarget("cuda", self._capability, 32)

    def get_active_torch_device(self) -> torch.device:
        return torch.device("cuda", 0)


def install(capability: tuple[int, int]) -> None:
    """Have Triton launch on the simulated device, for the rest of the process."""
    import triton.compiler
    from triton.runtime import driver

    def compile_(source: Any, target: Any = None, options: dict[str, Any] | None = None, **_: Any) -> Compiled:
        return Compiled(source, options or {})

    triton.compiler.compile = compile_
    driver.set_active(Driver(capability))
