"""Time the package `streamdiffusionv2` (PyPI) with random weights of the real sizes; started by `bench.py --compare`.

Runs under the Python interpreter of an environment that has that package, which pins other versions than this project: it
imports nothing of sdv2_live. What the package would load from files is made instead: the autoencoder's file, from a manifest of
its keys and shapes, in a folder for the time being; the transformer at random; the text encoder gives noise, as it is not part
of a chunk. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

MANIFESTS = Path(__file__).parent.parent / "tests" / "golden" / "manifests"
SIZES = {
    "1.3b": ("T2V-1.3B", {"dim": 1536, "ffn_dim": 8960, "num_heads": 12, "num_layers": 30}),
    "14b": ("T2V-14B", {"dim": 5120, "ffn_dim": 13824, "num_heads": 40, "num_layers": 40}),
}
WARM_UP = 10


def write_random(manifest: str, target: Path) -> Path:
    """A checkpoint with a manifest's keys and shapes."""
    shapes = json.loads((MANIFESTS / manifest).read_text())["keys"]
    state = {key: torch.randn(shape) * 0.02 for key, shape in shapes.items()}
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, target)
    return target


class NoText(torch.nn.Module):
    """In place of the text encoder."""

    def __init__(self, model_type: str = "") -> None:
        super().__init__()

    def forward(self, text_prompts: list[str]) -> dict[str, torch.Tensor]:
        return {"prompt_embeds": torch.randn(len(text_prompts), 512, 4096, device="cuda", dtype=torch.bfloat16)}


def manager(options: argparse.Namespace, folder: Path) -> Any:
    """The package's own pipeline manager."""
    model_type, sizes = SIZES[options.model]
    write_random("wan_vae.json", folder / f"wan_models/Wan2.1-{model_type}/Wan2.1_VAE.pth")
    os.environ["STREAMDIFFUSIONV2_ROOT"] = str(folder)
    from importlib.resources import files

    import models
    from models.wan import causal_model
    from streamv2v import inference, inference_wo_batch
    from streamv2v.inference_common import merge_cli_config

    models.TEXT_ENCODER_NAME_TO_CLASS.update(wan=NoText, causal_wan=NoText)
    causal_model.CausalWanModel.from_pretrained = classmethod(lambda cls, path: cls(**sizes))
    height, width = (int(side) for side in options.size.split("x"))
    config_path = str(files("streamv2v.configs").joinpath("wan_causal_dmd_v2v.yaml"))
    taehv = options.vae in ("taehv", "lighttae")
    arguments: dict[str, Any] = {
        "config_path": config_path, "height": height, "width": width, "step": options.steps, "model_type": model_type,
        "noise_scale": 0.7, "seed": 0, "fps": 16, "num_frames": 81, "t2v": False, "profile": False, "target_fps": None,
        "fixed_noise_scale": False, "use_taehv": taehv, "use_tensorrt": False, "fast": False,
    }  # fmt: skip
    if taehv:
        arguments["taehv_checkpoint_path"] = str(write_random("taew2_1.json", folder / "taew2_1.pth"))
    torch.set_grad_enabled(False)
    module = inference if options.schedule == "stream_batch" else inference_wo_batch
    return module.SingleGPUInferencePipeline(merge_cli_config(config_path, arguments), torch.device("cuda"))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    height, width = (int(side) for side in options.size.split("x"))
    with tempfile.TemporaryDirectory(prefix="bench-peer-") as folder:
        pipeline = manager(options, Path(folder))
    clip = torch.rand(1, 3, 9, height, width, device="cuda", dtype=torch.bfloat16) * 2 - 1
    begin = time.perf_counter()
    session, _ = pipeline.start_stream_session("a prompt", clip[:, :, :5], 0.7)
    torch.cuda.synchronize()
    first_ms = (time.perf_counter() - begin) * 1e3
    for _ in range(WARM_UP):
        pipeline.run_stream_batch(session, clip[:, :, 5:])
    count, begin = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begin) < options.seconds:
        pipeline.run_stream_batch(session, clip[:, :, 5:])  # ends with the pictures on the host
        count += 4
    return {
        "package": "streamdiffusionv2",
        "torch": torch.__version__,
        "fps": round(count / elapsed, 2),
        "chunk_ms": round(elapsed / count * 4e3, 2),
        "first_chunk_ms": round(first_ms, 1),
        "gpu_memory_mb": torch.cuda.max_memory_allocated() // 2**20,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--schedule", required=True)
    parser.add_argument("--model", choices=[*SIZES, "tiny"], required=True)
    parser.add_argument("--vae", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    try:
        import streamv2v  # noqa: F401
    except ImportError as error:
        print(f"this Python has no working package streamdiffusionv2 ({error})", file=sys.stderr)
        return 2
    if options.model not in SIZES or not torch.cuda.is_available():
        print("streamdiffusionv2 needs a CUDA device and has the models 1.3b and 14b only", file=sys.stderr)
        return 2
    print(json.dumps(measure(options)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
