"""From a profile's name to models on a device: which device, which precision, which files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn
from transformers import ByT5Tokenizer

from sdv2_live.errors import EngineError
from sdv2_live.model.checkpoint import is_there, read_checkpoint
from sdv2_live.model.dit import CausalDiT
from sdv2_live.model.load_text import load_text, text_version, version_of
from sdv2_live.model.lora import LoraSet
from sdv2_live.model.profiles import Profile
from sdv2_live.model.taehv import TAEHV
from sdv2_live.model.umt5 import UMT5, TextEncoder
from sdv2_live.model.vae import WanVAE
from sdv2_live.model.vae_choice import make_vae, vae_kind
from sdv2_live.model.weights import assign, find_file, load_strict, on_meta, synthetic_state_dict

EMBEDDED = Path(__file__).parent.parent / "assets" / "tiny.safetensors"
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Models:
    """A profile's three models, ready to run. text_version tells the text encoder's weights from all others."""

    profile: Profile
    dit: CausalDiT
    vae: WanVAE | TAEHV
    text: TextEncoder
    text_version: str
    loras: LoraSet = field(default_factory=LoraSet)


def choose_device(name: str) -> torch.device:
    """auto, cpu or cuda to a device. Raises EngineError when CUDA is asked for and absent."""
    if name == "cuda" and not torch.cuda.is_available():
        raise EngineError(
            "model.device = cuda, but torch finds no CUDA device: install the CUDA build of torch and an NVIDIA driver, "
            "or set model.device to auto"
        )
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """auto: float32 on a CPU, bfloat16 on a GPU that has it, else float16."""
    if name != "auto":
        return DTYPES[name]
    if device.type == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def has_weights(profile: Profile, vae: str, weights_dir: Path) -> bool:
    """Whether every file is there that `load_models` would read; not whether it is whole."""
    if profile.files is None:
        return True
    files = profile.files
    wanted = (files.dit, files.vae(vae_kind(profile, vae)), files.text)
    return all(any(is_there(weights_dir / name) for name in names) for names in wanted)


def load_models(profile: Profile, *, device: torch.device, dtype: torch.dtype, vae: str, weights_dir: Path) -> Models:
    """All models of a profile. vae: auto or one of VAES. Raises WeightsError naming the file that is missing or unfit."""
    kind = vae_kind(profile, vae)
    if profile.files is None:
        return _load_embedded(profile, kind, device, dtype)
    files = profile.files
    dit = on_meta(lambda: CausalDiT(profile.dit))
    assign(dit, find_file(weights_dir, files.dit), device, dtype)
    autoencoder = on_meta(lambda: make_vae(profile, kind))
    rename = autoencoder.own_rows if isinstance(autoencoder, TAEHV) else dict
    assign(autoencoder, find_file(weights_dir, files.vae(kind)), device, dtype, rename)
    return Models(
        profile,
        dit.eval().requires_grad_(False),
        _placed(autoencoder),
        load_text(profile, files, weights_dir, device, dtype),
        text_version(files, weights_dir),
    )


def _load_embedded(profile: Profile, kind: str, device: torch.device, dtype: torch.dtype) -> Models:
    """The model inside the package; without its weights file, untrained weights that are the same everywhere."""
    dit, vae, text = CausalDiT(profile.dit), make_vae(profile, kind), UMT5(profile.text)
    parts: dict[str, nn.Module] = {"dit": dit, "vae": vae, "text": text}
    state = read_checkpoint(EMBEDDED) if EMBEDDED.is_file() else None
    for name, model in parts.items():
        prefix = f"{name}."
        if state is None:
            own = synthetic_state_dict({k: tuple(v.shape) for k, v in model.state_dict().items()}, 1.4 if name == "vae" else 1.0)
        else:
            own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        if name == "text" and "encoder.shared.weight" in own:  # the token embedding is tied: one tensor, two names
            own["encoder.encoder.embed_tokens.weight"] = own["encoder.shared.weight"]
        load_strict(model, own, f"{EMBEDDED} ({name})")
        model.to(device, dtype).eval().requires_grad_(False)
    tokenizer = ByT5Tokenizer()
    encoder = TextEncoder(text, lambda prompt: list(tokenizer(prompt).input_ids))
    version = version_of(EMBEDDED) if state is not None else f"{profile.name}, untrained"
    return Models(profile, dit, _placed(vae), encoder, version)


def _placed(vae: WanVAE | TAEHV) -> WanVAE | TAEHV:
    """2-d convolutions run fastest with channels last."""
    vae.eval().requires_grad_(False)
    if isinstance(vae, TAEHV):
        for conv in (module for module in vae.modules() if isinstance(module, nn.Conv2d)):
            conv.weight.data = conv.weight.data.contiguous(memory_format=torch.channels_last)
    return vae
