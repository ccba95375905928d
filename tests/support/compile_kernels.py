"""Compile every kernel of triton_ops to machine code, as the model's widths use it.

A GPU is not needed: `python tests/support/compile_kernels.py [CAPABILITY...]`, such as 90.
"""

from __future__ import annotations

import sys
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from sdv2_live.model.dit import triton_ops

CARDS = (80, 89, 90, 100)  # Ampere, Ada, Hopper, Blackwell
WIDTHS = (1536, 5120)
VECTORS = ("gate_ptr", "weight_ptr", "bias_ptr", "sink_k_ptr", "sink_v_ptr", "turns_ptr", "means_ptr")  # float32
KERNELS: dict[Any, list[dict[str, int]]] = {
    triton_ops._add_norm: [{"HAS_BRANCH": branch, "HAS_GATE": gate} for branch, gate in ((0, 0), (1, 0), (1, 1))],
    triton_ops._rms_norm: [{}],
    triton_ops._remember: [{"STORE": 0}, {"STORE": 1}],
    triton_ops._store: [{}],
    triton_ops._adapt: [{}],
}


def kind(name: str) -> str:
    """Type of an argument in Triton's signatures."""
    if name in ("slots_ptr", "ring_ptr"):
        return "*i64"
    if name == "may_ptr":
        return "*i1"
    if name.endswith("_ptr"):
        return "*fp32" if name in VECTORS else "*bf16"
    return "fp32" if name == "threshold" else "i32"


def compile_all(capability: int) -> None:
    """Raise what the compiler raises."""
    for kernel, variants in KERNELS.items():
        for width in WIDTHS:
            launch = triton_ops._launch(width)
            for variant in variants:
                constants = {"EPS": 1e-6, "BLOCK": launch["BLOCK"], **{name: bool(on) for name, on in variant.items()}}
                constants = {name: value for name, value in constants.items() if name in kernel.arg_names}
                signature = {name: "constexpr" if name in constants else kind(name) for name in kernel.arg_names}
                source = ASTSource(kernel, signature, constants)
                target = GPUTarget("cuda", capability, 32)
                compiled = triton.compile(source, target=target, options={"num_warps": launch["num_warps"]})
                print(f"sm_{capability} {kernel.__name__} {width} {variant}: {len(compiled.asm['cubin'])} bytes")


if __name__ == "__main__":
    for card in map(int, sys.argv[1:]) if len(sys.argv) > 1 else CARDS:
        compile_all(card)
