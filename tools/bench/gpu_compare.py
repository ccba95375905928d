"""The engine on the CPU against the GPU: `python tools/bench/gpu_compare.py [--devices cpu cuda]`.

The embedded model restyles twelve chunks with the same seed and input on both, the GPU in float32 and in its own precision,
with CUDA graphs and without. Exit status 1 when pictures differ more than precision explains.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from sdv2_live.config.load import load_config
from sdv2_live.io.synthetic import TestSource
from sdv2_live.pipeline.build import load, new_prompts, new_stream
from sdv2_live.stats import StageTimer

CHUNKS = 12
TOLERANCE = {"fp32": 0.02, "auto": 0.15}  # of the pictures' norm; a recurrent model in bfloat16 drifts


def pictures(device: str, dtype: str, graphs: str) -> np.ndarray:
    """Frames (T, H, W) of luma and chroma codes, as float32."""
    config = load_config(
        None, [f"model.device={device}", f"model.dtype={dtype}", f"engine.cuda_graphs={graphs}", "video.size=128x128"]
    )
    models = load(config)
    prompts = new_prompts(config, models)
    found = []
    try:
        stream = new_stream(config, models, prompts, StageTimer())
        with TestSource(128, 128, Fraction(30), realtime=False) as source:
            frames = [frame for _ in range(5 + 4 * CHUNKS) if (frame := source.read(1.0)) is not None]
        for _ in range(CHUNKS):
            needed = stream.prepare(frames[0], config.params)
            found += stream.paint(frames[:needed], config.params, wait_for_prompt=True)
            frames = frames[needed:]
    finally:
        prompts.close()
    return np.stack([frame.data for frame in found]).astype(np.float32)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--devices", nargs=2, default=["cpu", "cuda"], metavar=("REFERENCE", "OTHER"))
    reference, other = parser.parse_args(arguments).devices
    expected, status = pictures(reference, "fp32", "off"), 0
    for dtype, graphs in (("fp32", "off"), ("fp32", "auto"), ("auto", "off"), ("auto", "auto")):
        error = float(np.linalg.norm(pictures(other, dtype, graphs) - expected) / np.linalg.norm(expected))
        passed = error < TOLERANCE[dtype]
        print(f"{other}, {dtype}, CUDA graphs {graphs}: differs by {error:.4f} {'ok' if passed else 'FAILED'}")
        status |= not passed
    return status


if __name__ == "__main__":
    sys.exit(main())
