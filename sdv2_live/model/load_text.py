"""The text encoder of a profile: its identity, its files, and its loading on demand."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from tokenizers import Tokenizer
from torch import nn

from sdv2_live.errors import WeightsError
from sdv2_live.model.checkpoints.assign import assign, load_strict, on_meta, synthetic_state_dict
from sdv2_live.model.checkpoints.checkpoint import read_checkpoint
from sdv2_live.model.checkpoints.files import PRECISIONS, TextIdentity, missing_text, text_identities
from sdv2_live.model.profiles import Profile
from sdv2_live.model.text.encoder import Placement, Text, fingerprint, text_dtype

if TYPE_CHECKING:
    from sdv2_live.model.text.umt5 import TextEncoder, Tokenize

# Whatever makes an encoder imports transformers, which takes seconds: no other process should.
EMBEDDED = Path(__file__).parent.parent / "assets" / "tiny.safetensors"


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
    missing = missing_text(profile.name, files, weights_dir)
    file = next((weights_dir / name for name in files.text if (weights_dir / name).is_file()), None)
    if file is None:
        return Text(_impossible, text_identities(files), placement, device, missing)
    identity = TextIdentity("umt5-xxl", PRECISIONS[file.name], fingerprint(file))
    folder = weights_dir / files.tokenizer
    compute = text_dtype(device, dtype)
    return Text(lambda: _load(profile, file, folder, device, compute), (identity,), placement, device, missing)


@lru_cache
def text_bytes(profile: Profile, precision: str) -> int:
    """Memory of the encoder's weights as their file has them, without loading any."""
    from sdv2_live.model.text.umt5 import UMT5

    model = on_meta(lambda: UMT5(profile.text))
    sizes = {"fp8": 1, "bf16": 2, "fp32": 4}
    return sum(parameter.numel() for parameter in model.parameters()) * sizes[precision]


def _load(profile: Profile, file: Path, tokenizer: Path, device: torch.device, dtype: torch.dtype) -> TextEncoder:
    from sdv2_live.model.text.umt5 import UMT5, TextEncoder, transformers_state

    encoder = on_meta(lambda: UMT5(profile.text))
    transformer: nn.Module = encoder.encoder
    # fp8 is widened at each use on a GPU, once on a CPU, where that takes longer than the product itself.
    keep = device.type != "cpu" or PRECISIONS[file.name] != "fp8"
    assign(transformer, file, device, dtype, transformers_state, keep=keep)
    return TextEncoder(encoder.eval().requires_grad_(False), _tokenizer(tokenizer))


def _tokenizer(folder: Path) -> Tokenize:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{folder}: is no usable tokenizer ({error}); copy it anew from Wan2.1-T2V-1.3B") from error
    return lambda text: list(tokenizer(text).input_ids)


def _load_embedded(profile: Profile, file: Path, device: torch.device, dtype: torch.dtype) -> TextEncoder:
    """The encoder inside the package; without its weights file, untrained weights that are the same everywhere."""
    from sdv2_live.model.text.umt5 import UMT5, TextEncoder

    model = UMT5(profile.text)
    if file.is_file():
        own = {k.removeprefix("text."): value for k, value in read_checkpoint(file).items() if k.startswith("text.")}
    else:
        own = synthetic_state_dict({key: tuple(value.shape) for key, value in model.state_dict().items()})
    if "encoder.shared.weight" in own:  # the token embedding is tied: one tensor, two names
        own["encoder.encoder.embed_tokens.weight"] = own["encoder.shared.weight"]
    load_strict(model, own, f"{file} (text)")
    model.to(device, dtype).eval().requires_grad_(False)
    return TextEncoder(model, _embedded_tokenizer(file))


def _embedded_tokenizer(file: Path) -> Tokenize:
    """The tokenizer in the file's own metadata; bytes where there is none, as in untrained weights."""
    from transformers import ByT5Tokenizer

    if file.is_file():
        with safe_open(file, "pt") as checkpoint:
            description = (checkpoint.metadata() or {}).get("tokenizer")
        if description is not None:
            pieces = Tokenizer.from_str(description)
            return lambda prompt: list(pieces.encode(prompt).ids)
    characters = ByT5Tokenizer()
    return lambda prompt: list(characters(prompt).input_ids)


def _impossible() -> TextEncoder:
    raise AssertionError("a text encoder without a file is never loaded")
