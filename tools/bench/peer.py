"""Time the package `streamdiffusionv2` (PyPI) with random weights of the real sizes; started by `bench.py --compare`.

Runs under the Python interpreter of an environment that has that package, which pins other versions than this project: it
imports nothing of sdv2_live. What the package would load from files is made instead: the autoencoder's file, from a manifest of
its keys and shapes, in a folder for the time being; the transformer at random; the text encoder gives noise, as it is not part
of a chunk. What is timed begins and ends as in `bench.py`: with 8-bit frames in the host's memory. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch

MANIFESTS = Path(__file__).parents[2] / "tests" / "golden" / "manifests"
SIZES = {
    "1.3b": ("T2V-1.3B", {"dim": 1536, "ffn_dim": 8960, "num_heads": 12, "num_layers": 30}),
    "14b": ("T2V-14B", {"dim": 5120, "ffn_dim": 13824, "num_heads": 40, "num_layers": 40}),
}
DECODERS = {"wan": "wan", "taehv": "taehv", "lighttae": "taehv"}  # those the package has; it encodes with the Wan VAE always
NOISE_SCALE = 0.7
WARM_UP = 10  # chunks before anything is counted: the cache is full, memory is allocated
PROFILED = 8  # chunks for the times of the stages, after what is counted


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


def random_transformer(model_class: Any, sizes: dict[str, int]) -> torch.nn.Module:
    """The package's transformer, made on the device in the type it computes in: 14B in float32 would take 57 GB."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("cuda"):
            model: torch.nn.Module = model_class(**sizes)
    finally:
        torch.set_default_dtype(before)
    return model


def manager(options: argparse.Namespace, folder: Path) -> Any:
    """The package's own pipeline manager. The package takes the folder from the environment when it is imported."""
    model_type, sizes = SIZES[options.model]
    write_random("wan_vae.json", folder / f"wan_models/Wan2.1-{model_type}/Wan2.1_VAE.pth")
    os.environ["STREAMDIFFUSIONV2_ROOT"] = str(folder)
    import models
    from models.wan import causal_model, wan_wrapper
    from streamv2v import inference, inference_wo_batch
    from streamv2v.inference_common import merge_cli_config

    models.TEXT_ENCODER_NAME_TO_CLASS.update(wan=NoText, causal_wan=NoText)
    # Its causal wrapper first loads the plain transformer of 1.3B, whatever the model, and then replaces it.
    wan_wrapper.WanModel.from_pretrained = classmethod(lambda cls, path: torch.nn.Identity())
    causal_model.CausalWanModel.from_pretrained = classmethod(lambda cls, path: random_transformer(cls, sizes))
    height, width = (int(side) for side in options.size.split("x"))
    taehv = DECODERS[options.vae] == "taehv"
    arguments: dict[str, Any] = {
        "height": height, "width": width, "step": options.steps, "model_type": model_type, "use_taehv": taehv, "t2v": False
    }  # fmt: skip
    if taehv:
        arguments["taehv_checkpoint_path"] = str(write_random("taew2_1.json", folder / "taew2_1.pth"))
    torch.set_grad_enabled(False)
    module = inference if options.schedule == "stream_batch" else inference_wo_batch
    config = merge_cli_config(str(files("streamv2v.configs").joinpath("wan_causal_dmd_v2v.yaml")), arguments)
    return module.SingleGPUInferencePipeline(config, torch.device("cuda"))


def upload(frames_THWC: torch.Tensor) -> torch.Tensor:
    """8-bit frames on the host as the package wants them: (1, 3, T, H, W) in [-1, 1] on the device."""
    pixels = frames_THWC.to("cuda", non_blocking=True).permute(3, 0, 1, 2).unsqueeze(0)
    return pixels.to(torch.bfloat16, memory_format=torch.contiguous_format).div_(127.5).sub_(1)


def to_8_bits(pictures_THWC: Any) -> torch.Tensor:
    """What the package gives, a float32 array in [0, 1] on the host, as 8-bit frames there."""
    return torch.from_numpy(pictures_THWC).mul_(255).to(torch.uint8)


def attention() -> str:
    """Which attention the package found at its import."""
    from models.wan.wan_base.modules import attention as found

    if found.FLASH_ATTN_3_AVAILABLE:
        return "flash3"
    return "flash2" if found.FLASH_ATTN_2_AVAILABLE else "sdpa"


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run the package's stream for so long and return the figures, named as those of `bench.py`."""
    height, width = (int(side) for side in options.size.split("x"))
    torch.backends.cudnn.benchmark = options.autotune
    with tempfile.TemporaryDirectory(prefix="bench-peer-") as folder:
        pipeline = manager(options, Path(folder))
    clip = torch.randint(0, 256, (9, height, width, 3), dtype=torch.uint8).pin_memory()
    torch.cuda.reset_peak_memory_stats()
    for _ in range(2):  # the first time compiles and allocates
        torch.cuda.synchronize()
        begin = time.perf_counter()
        session, pictures = pipeline.start_stream_session("a prompt", upload(clip[:5]), NOISE_SCALE)
        to_8_bits(pictures)  # they are on the host, so the device is done
        first_ms = (time.perf_counter() - begin) * 1e3

    def chunk() -> int:
        painted = [to_8_bits(pictures) for pictures in pipeline.run_stream_batch(session, upload(clip[5:]))]
        return sum(len(frames) for frames in painted)

    for _ in range(WARM_UP):
        chunk()
    chunks, count, begin = 0, 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begin) < options.seconds:
        count += chunk()
        chunks += 1
    pipeline.profile = True  # the package then waits for the device around encoder and decoder, and notes their frames a second
    for _ in range(PROFILED):
        chunk()
    rates = {"encode": pipeline.encode_fps_list, "decode": pipeline.decode_fps_list}
    return {
        "package": f"streamdiffusionv2 {version('streamdiffusionv2')}",
        "torch": torch.__version__,
        "attention": attention(),
        "vae": f"wan encodes, {DECODERS[options.vae]} decodes",
        "steps": len(pipeline.pipeline.denoising_step_list),
        "fps": round(count / elapsed, 2),
        "chunk_ms": round(elapsed / chunks * 1e3, 2),
        "stages_ms": {stage: round(sum(4e3 / fps for fps in seen) / len(seen), 2) for stage, seen in rates.items()},
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
    parser.add_argument("--autotune", action="store_true")
    options = parser.parse_args()
    try:
        import streamv2v  # noqa: F401
    except ImportError as error:
        print(f"this Python has no working package streamdiffusionv2 ({error})", file=sys.stderr)
        return 2
    if options.model not in SIZES or not torch.cuda.is_available():
        print("streamdiffusionv2 needs a CUDA device and has the models 1.3b and 14b only", file=sys.stderr)
        return 2
    if options.vae not in DECODERS:
        print(f"streamdiffusionv2 has no autoencoder {options.vae}, only {', '.join(DECODERS)}", file=sys.stderr)
        return 2
    print(json.dumps(measure(options)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
