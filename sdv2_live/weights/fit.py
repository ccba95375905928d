"""A check that a file fits its model, by keys and shapes alone: but for a LoRA, no tensor is read, no memory taken."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from sdv2_live.model.checkpoints.assign import on_meta, read_shapes, require_fit
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.lora.file import read_lora
from sdv2_live.model.profiles import Profile
from sdv2_live.model.text.umt5 import UMT5, transformers_state
from sdv2_live.model.vae.taehv import TAEHV
from sdv2_live.model.vae_choice import make_vae
from sdv2_live.weights.catalog import WeightFile


def check_fit(file: WeightFile, path: Path, profile: Profile) -> None:
    """Raise WeightsError naming the keys and shapes of the file that do not fit its model in this profile."""
    if file.part == "tokenizer":
        return
    if file.part == "lora":
        lora = profile.files.lora if profile.files else None
        shapes = on_meta(lambda: CausalDiT(profile.dit)).state_dict()
        alpha = lora.alpha if lora else None
        read_lora(path, {key: tuple(value.shape) for key, value in shapes.items()}, alpha)
        return
    member = profile.files.member if profile.files and file.part == "dit" else None
    state = read_shapes(path, member)
    model = on_meta(lambda: _model(file, profile))
    if file.part == "text":
        state = transformers_state(state)
    if isinstance(model, TAEHV):
        state = model.own_rows(state)
    require_fit(model, state, str(path))


def _model(file: WeightFile, profile: Profile) -> nn.Module:
    if file.part == "dit":
        return CausalDiT(profile.dit)
    if file.part == "vae":
        return make_vae(profile, file.kind)
    encoder: nn.Module = UMT5(profile.text).encoder
    return encoder
