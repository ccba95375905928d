"""No module of the frame path waits for the device, or copies from memory that is not page-locked, but where it says why."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import sdv2_live

PACKAGE = Path(sdv2_live.__file__).parent
ENGINE = (
    "anchor",
    "denoising",
    "engine",
    "graphs",
    "noise",
    "prompt",
    "scheduler",
    "state",
    "steps",
    "timesteps",
    "transfer",
    "warm_up",
)
DIT = ("attention", "dit", "kv_cache", "layers", "ops", "packed", "past", "rope", "triton_ops")
VAE = ("taehv", "taehv_layers", "wan", "wan_layers")
READS = {"item", "tolist", "cpu", "numpy", "nonzero", "synchronize", "is_nonzero"}
COPIES = {"tensor", "as_tensor", "from_numpy"}
ALLOWED = {
    ("transfer", "read", "synchronize"): "the one wait of a chunk, for an event: the timestep depends on the motion",
    ("scheduler", "numbers", "tensor"): "on the CPU; what goes to the device goes through upload",
    ("scheduler", "as_they_are", "tensor"): "on the CPU; what goes to the device goes through upload",
    ("wan", "__init__", "tensor"): "constants, when the model is made",
    ("taehv", "__init__", "tensor"): "constants, when the model is made",
}


def calls(file: Path) -> Iterator[tuple[str, str, str]]:
    """(module, function, what) of every call that may read or copy."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        of_torch = isinstance(node.func.value, ast.Name) and node.func.value.id == "torch"
        if node.func.attr in READS or (node.func.attr in COPIES and of_torch):
            inside = [f for f in functions if f.lineno <= node.lineno <= (f.end_lineno or 0)]
            yield file.stem, inside[-1].name if inside else "", node.func.attr


def test_the_frame_path_reads_nothing_on_the_host() -> None:
    files = [
        PACKAGE / folder / f"{name}.py"
        for folder, names in (("engine", ENGINE), ("model/dit", DIT), ("model/vae", VAE))
        for name in names
    ]
    found = {call for file in files for call in calls(file)}
    assert found - ALLOWED.keys() == set()
    assert ALLOWED.keys() <= found  # the list is not out of date


def test_who_waits_for_an_event_sleeps() -> None:
    """A spinning wait would take a core from the video threads. Events that only time nobody waits for."""
    events = [
        (file.stem, {word.arg for word in node.keywords})
        for file in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "Event"
        if ast.unparse(node.func.value).endswith("cuda")
    ]
    assert {"lanes", "staging", "transfer", "low_priority"} <= {module for module, _ in events}
    assert [event for event in events if not event[1] & {"blocking", "enable_timing"}] == []
