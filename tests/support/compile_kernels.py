"""Compile every kernel of triton_ops to machine code, as the model's widths use it.

A GPU is not needed: `python tests/support/compile_kernels.py [CAPABILITY...]`, such as 90.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from sdv2_live.model.dit import triton_ops

CARDS = (80, 89, 90, 100, 120)  # Ampere, Ada, Hopper, Blackwell
EIGHT = 89  # from here on there are units for 8 bits
WIDTHS = (1536, 5120)
FFN = (8960, 13824)
SHARED = 99 << 10  # bytes that a block may have on every card since Ampere
VECTORS = ("gate_ptr", "weight_ptr", "bias_ptr", "sink_k_ptr", "sink_v_ptr", "turns_ptr", "means_ptr", "scale_ptr")  # float32
KERNELS: dict[Any, list[dict[str, int]]] = {
    triton_ops._add_norm: [
        {"HAS_BRANCH": branch, "HAS_GATE": gate, "EIGHT": eight} for branch, gate in ((0, 0), (1, 0), (1, 1)) for eight in (0, 1)
    ],
    triton_ops._rows8: [{"GELU": 0}, {"GELU": 1}],
    triton_ops._rms_norm: [{}],
    triton_ops._remember: [{"STORE": 0}, {"STORE": 1}],
    triton_ops._store: [{}],
    triton_ops._adapt: [{}],
}

SPILLS = 5120  # the width at which some kernels, of 14b alone, spill a few words


def kind(name: str, eight: bool) -> str:
    """Type of an argument in Triton's signatures. eight: the result is in 8 bits."""
    if eight and name == "out_ptr":
        return "*fp8e4nv"
    if name in ("slots_ptr", "ring_ptr"):
        return "*i64"
    if name == "may_ptr":
        return "*i1"
    if name.endswith("_ptr"):
        return "*fp32" if name in VECTORS else "*bf16"
    return "fp32" if name == "threshold" else "i32"


def resources(cubin: bytes) -> dict[str, int]:
    """What a kernel takes of a multiprocessor, by cuobjdump, which comes with Triton."""
    program = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        said = subprocess.run([program, "--dump-resource-usage", file.name], capture_output=True, text=True, check=True).stdout
    return {name: int(re.search(rf"{name}:(\d+)", said)[1]) for name in ("REG", "STACK", "LOCAL")}  # type: ignore[index]


def compile_all(capability: int) -> None:
    """Raise what the compiler raises."""
    for kernel, variants in KERNELS.items():
        for width in (*WIDTHS, *(FFN if kernel is triton_ops._rows8 else ())):
            for variant in variants:
                eight = kernel is triton_ops._rows8 or bool(variant.get("EIGHT"))
                if eight and capability < EIGHT:
                    continue
                launch = triton_ops._launch(width, held=bool(variant.get("EIGHT")))
                constants = {"EPS": 1e-6, "BLOCK": launch["BLOCK"], **{name: bool(on) for name, on in variant.items()}}
                constants = {name: value for name, value in constants.items() if name in kernel.arg_names}
                signature = {name: "constexpr" if name in constants else kind(name, eight) for name in kernel.arg_names}
                source = ASTSource(kernel, signature, constants)
                target = GPUTarget("cuda", capability, 32)
                compiled = triton.compile(source, target=target, options={"num_warps": launch["num_warps"]})
                used = resources(compiled.asm["cubin"])
                shared = compiled.metadata.shared
                print(f"sm_{capability} {kernel.__name__} {width} {variant}: {used}, {shared} bytes of shared memory")
                spills = (used["LOCAL"] or used["STACK"]) and (eight or width != SPILLS)
                if spills or shared > SHARED:
                    raise SystemExit(
                        f"sm_{capability} {kernel.__name__} {width} {variant} spills, or needs too much shared memory"
                    )


if __name__ == "__main__":
    for card in map(int, sys.argv[1:]) if len(sys.argv) > 1 else CARDS:
        compile_all(card)
