"""The text encoder of a profile: which one it is, whether it is there, and how it is loaded when it is needed."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import nn
from transformers import AutoTokenizer, ByT5Tokenizer

from sdv2_live.errors import WeightsError
from sdv2_live.model.checkpoint import read_checkpoint
from sdv2_live.model.profiles import Files, Profile
from sdv2_live.model.text import Placement, Text, TextIdentity, fingerprint, text_dtype
from sdv2_live.model.umt5 import UMT5, TextEncoder, Tokenize, transformers_state
from sdv2_live.model.weights import assign, load_strict, on_meta, synthetic_state_dict

EMBEDDED = Path(__file__).parent.parent / "assets" / "tiny.safetensors"
# Precision class of each file; in the order in which the files, or where there is none their embeddings, are taken.
PRECISIONS = {"models_t5_umt5-xxl-enc-bf16.pth": "bf16", "umt5-xxl-enc-fp8_e4m3fn.safetensors": "fp8"}


def new_text(
    profile: Profile,
    *,
    device: torch.device,
    dtype: torch.dtype,
    weights_dir: Path,
    placement: Placement = Placement.GPU,
    embedded: Path = EMBEDDED,
) -> Text:
    """The text encoder of a profile, not loaded yet; its files need not be there. device, dtype: those of the DiT."""
    if placement is not Placement.GPU:
        device = torch.device("cpu")
    files = profile.files
    if files is None:
        mark = fingerprint(embedded) if embedded.is_file() else "untrained"
        compute = torch.float32 if device.type == "cpu" else text_dtype(device, dtype)
        identity = TextIdentity(profile.name, "fp32", mark)
        return Text(lambda: _load_embedded(profile, embedded, device, compute), (identity,), placement, device)
    present = [(TextIdentity("umt5-xxl", PRECISIONS[name]), weights_dir / name) for name in files.text]
    file = next((file for _, file in present if file.is_file()), None)
    if file is None:
        identities = tuple(identity for identity, _ in present)
        return Text(
            _impossible,
            identities,
            placement,
            device,
            f"{weights_dir}: holds none of {', '.join(files.text)}; {_remedy(profile)}",
        )
    identity = TextIdentity("umt5-xxl", PRECISIONS[file.name], fingerprint(file))
    folder = weights_dir / files.tokenizer
    missing = "" if folder.is_dir() else f"{folder}: the tokenizer's folder is missing; {_remedy(profile)}"
    compute = text_dtype(device, dtype)
    return Text(lambda: _load(profile, file, folder, device, compute), (identity,), placement, device, missing)


def has_text(files: Files, weights_dir: Path) -> bool:
    """Whether a text encoder's file and its tokenizer are there."""
    return (weights_dir / files.tokenizer).is_dir() and any((weights_dir / name).is_file() for name in files.text)


@lru_cache
def text_bytes(profile: Profile, precision: str) -> int:
    """Memory of the encoder's weights as their file has them, without loading any."""
    model = on_meta(lambda: UMT5(profile.text))
    sizes = {"fp8": 1, "bf16": 2, "fp32": 4}
    return sum(parameter.numel() for parameter in model.parameters()) * sizes[precision]


def _load(profile: Profile, file: Path, tokenizer: Path, device: torch.device, dtype: torch.dtype) -> TextEncoder:
    encoder = on_meta(lambda: UMT5(profile.text))
    transformer: nn.Module = encoder.encoder
    # fp8 is widened at each use on a GPU, once on a CPU, where that takes longer than the product itself.
    keep = device.type != "cpu" or PRECISIONS[file.name] != "fp8"
    assign(transformer, file, device, dtype, transformers_state, keep=keep)
    return TextEncoder(encoder.eval().requires_grad_(False), _tokenizer(tokenizer))


def _tokenizer(folder: Path) -> Tokenize:
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{folder}: is no usable tokenizer ({error}); copy it anew from Wan2.1-T2V-1.3B") from error
    return lambda text: list(tokenizer(text).input_ids)


def _load_embedded(profile: Profile, file: Path, device: torch.device, dtype: torch.dtype) -> TextEncoder:
    """The one inside the package; without its weights file, untrained weights that are the same everywhere."""
    model = UMT5(profile.text)
    if file.is_file():
        own = {k.removeprefix("text."): value for k, value in read_checkpoint(file).items() if k.startswith("text.")}
    else:
        own = synthetic_state_dict({key: tuple(value.shape) for key, value in model.state_dict().items()})
    if "encoder.shared.weight" in own:  # the token embedding is tied: one tensor, two names
        own["encoder.encoder.embed_tokens.weight"] = own["encoder.shared.weight"]
    load_strict(model, own, f"{file} (text)")
    model.to(device, dtype).eval().requires_grad_(False)
    tokenizer = ByT5Tokenizer()
    return TextEncoder(model, lambda prompt: list(tokenizer(prompt).input_ids))


def _remedy(profile: Profile) -> str:
    return (
        f"fetch it: sdv2-live weights download {profile.name}; or encode the prompts where it is: sdv2-live prompt encode, "
        "and copy the folder of model.prompt_cache here"
    )


def _impossible() -> TextEncoder:
    raise AssertionError("a text encoder without a file is never loaded")
