"""Does a file fit its model? Told by keys and shapes alone: no tensor is read, no memory taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from sdv2_live.errors import WeightsError
from sdv2_live.model.dit import CausalDiT
from sdv2_live.model.profiles import Profile
from sdv2_live.model.taehv import TAEHV
from sdv2_live.model.umt5 import UMT5, transformers_state
from sdv2_live.model.vae import WanVAE, WanVaeConfig
from sdv2_live.model.weights import load_strict, read_checkpoint
from sdv2_live.weights.catalog import WeightFile


def check_fit(file: WeightFile, path: Path, profile: Profile) -> None:
    """Raise WeightsError naming the keys and shapes of the file that do not fit its model in this profile."""
    if file.part == "tokenizer":
        return
    state = shapes(path)
    with torch.device("meta"):
        model = _MODELS[file.part](file, profile)
    load_strict(model, transformers_state(dict(state)) if file.part == "text" else state, str(path), assign=True)


def shapes(path: Path) -> Mapping[str, Tensor]:
    """The file's tensors on the meta device: their keys and shapes. Raises WeightsError for a file that cannot be read."""
    if path.suffix != ".safetensors":
        return {key: value.to("meta") for key, value in read_checkpoint(path).items()}  # memory-mapped
    try:
        with safe_open(path, framework="pt") as file:
            return {key: torch.empty(file.get_slice(key).get_shape(), device="meta") for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: cannot be read as weights ({error}); it is damaged, fetch it again") from error


def _vae(file: WeightFile, profile: Profile) -> nn.Module:
    match file.kind:
        case "wan" if profile.wan is not None:
            return WanVAE(profile.wan)
        case "light":
            return WanVAE(WanVaeConfig(dim=24))  # LightVAE: a quarter of every width
        case "taehv" | "lighttae":
            return TAEHV(profile.taehv)
    raise WeightsError(f"the {profile.name} model has no autoencoder {file.kind}; set model.vae to auto")


def _text(_: WeightFile, profile: Profile) -> nn.Module:
    encoder: nn.Module = UMT5(profile.text).encoder
    return encoder


_MODELS: dict[str, Callable[[WeightFile, Profile], nn.Module]] = {
    "dit": lambda _, profile: CausalDiT(profile.dit),
    "vae": _vae,
    "text": _text,
}
