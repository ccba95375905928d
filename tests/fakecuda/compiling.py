"""Compiles recorded launches to machine code with Triton's own compiler, which needs no GPU; a program of its own.

    python tests/fakecuda/compiling.py LAUNCHES.json RESULTS.json CAPABILITY ...

LAUNCHES is a list of what `triton_stand_in.Compiled.about` holds; a capability is such as 90. RESULTS has, of each kernel and
capability, registers and bytes of spills a thread, and bytes of shared memory a block.
"""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

CUOBJDUMP = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
USAGE = re.compile(r"REG:(\d+) STACK:(\d+) .*LOCAL:(\d+)")


def compiled(launch: dict[str, Any], capability: int) -> dict[str, Any]:
    """Compile one launch. Raises what the compiler raises."""
    module, name = launch["kernel"].split(":")
    kernel = getattr(importlib.import_module(module), name)
    constants = {tuple(path): value for path, value in launch["constants"]}
    attributes = {tuple(path): value for path, value in launch["attributes"]}
    source = ASTSource(kernel, launch["signature"], constants, attributes)
    code = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=launch["options"])
    registers, stack, local = _usage(code.asm["cubin"])
    named = {kernel.arg_names[path[0]]: value for path, value in constants.items()}
    return {
        "kernel": name,
        "constants": {key: value for key, value in named.items() if not isinstance(value, float)},
        "warps": launch["options"]["num_warps"],
        "capability": capability,
        "registers": registers,
        "spills": stack + local,
        "shared": code.metadata.shared,
    }


def _usage(cubin: bytes) -> tuple[int, int, int]:
    """Registers, and bytes of stack and of local memory, of each thread."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        command = [str(CUOBJDUMP), "--dump-resource-usage", file.name]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = USAGE.search(said)
    assert found is not None, said
    registers, stack, local = map(int, found.groups())
    return registers, stack, local


if __name__ == "__main__":
    launches = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    results = [compiled(launch, int(capability)) for capability in sys.argv[3:] for launch in launches]
    Path(sys.argv[2]).write_text(json.dumps(results), encoding="utf-8")
