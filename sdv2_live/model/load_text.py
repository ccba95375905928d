"""The text encoder of a profile: its weights and its tokenizer, from files."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from transformers import AutoTokenizer

from sdv2_live.errors import WeightsError
from sdv2_live.model.profiles import Files, Profile
from sdv2_live.model.umt5 import UMT5, TextEncoder, Tokenize, transformers_state
from sdv2_live.model.weights import assign, find_file, on_meta


def load_text(profile: Profile, files: Files, weights_dir: Path, device: torch.device, dtype: torch.dtype) -> TextEncoder:
    """The text encoder of a profile with files. Raises WeightsError naming the file that is missing or unfit."""
    encoder = on_meta(lambda: UMT5(profile.text))
    transformer: nn.Module = encoder.encoder
    assign(transformer, find_file(weights_dir, files.text), device, dtype, transformers_state)
    return TextEncoder(encoder.eval().requires_grad_(False), _tokenizer(weights_dir, files))


def text_version(files: Files, weights_dir: Path) -> str:
    """Tells the text encoder's weights from all others."""
    return version_of(find_file(weights_dir, files.text))


def _tokenizer(weights_dir: Path, files: Files) -> Tokenize:
    folder = weights_dir / files.tokenizer
    if not folder.is_dir():
        raise WeightsError(f"{folder}: the tokenizer's folder is missing; copy it from the Wan2.1-T2V-1.3B repository")
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return lambda text: list(tokenizer(text).input_ids)


def version_of(file: Path) -> str:
    """Tells this weights file from others, and from itself after a change, without reading gigabytes."""
    stat = file.stat()
    return f"{file.name} {stat.st_size} {stat.st_mtime_ns}"
