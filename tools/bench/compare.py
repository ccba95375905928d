"""The package `streamdiffusionv2` beside ours, see peer.py."""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from sdv2_live.config.profiles import find_profile
from sdv2_live.errors import EngineError
from sdv2_live.model.vae_choice import vae_kind


def peer(options: argparse.Namespace, fps: float) -> dict[str, Any]:
    """The package `streamdiffusionv2` at the same size, steps and sizes of models, in a process of its own.

    Called when this process needs its models no more: the card is the other's then.
    """
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    kind = vae_kind(find_profile(options.model), options.vae)
    python = sys.executable if options.compare == "auto" else options.compare
    script = Path(__file__).with_name("peer.py")
    command = [python, str(script), "--size", options.size, "--steps", str(options.steps), "--schedule", options.schedule]
    command += ["--seconds", str(options.seconds), "--model", options.model, "--vae", kind]
    command += ["--autotune"] if options.autotune else []
    limit = 900 + 2 * options.seconds
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
    except OSError as error:
        raise EngineError(
            f"--compare {options.compare}: cannot be run ({error}); give the path of a Python interpreter"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"--compare {options.compare}: not done after {limit:.0f} s; is the card used by others?") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise EngineError(f"--compare {options.compare}: {last}; how to install it is said in tools/benchmarks.md")
    try:
        found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError) as error:
        raise EngineError(f"--compare {options.compare}: printed no figures; give the path of a Python interpreter") from error
    return found | {"we_are_times_as_fast": round(fps / found["fps"], 2)}
