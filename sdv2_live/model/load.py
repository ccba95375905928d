"""From a profile's name to models on a device: choice of the device, the precision and the files."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import nn

from sdv2_live.errors import EngineError
from sdv2_live.model.checkpoints.assign import assign, load_strict, on_meta, part_digests, synthetic_state_dict
from sdv2_live.model.checkpoints.checkpoint import is_there, read_checkpoint
from sdv2_live.model.checkpoints.digests import digests
from sdv2_live.model.checkpoints.files import find_file, missing_text
from sdv2_live.model.cpu import faster_in_bf16
from sdv2_live.model.dit.dit import CausalDiT, in_part
from sdv2_live.model.load_text import EMBEDDED, new_text
from sdv2_live.model.lora.lora import LoraSet, LoraSource, merge_loras, read_loras
from sdv2_live.model.profiles import Profile
from sdv2_live.model.text.encoder import Placement, Text
from sdv2_live.model.vae.ops import channels_last
from sdv2_live.model.vae.taehv import TAEHV
from sdv2_live.model.vae.wan import WanVAE
from sdv2_live.model.vae_choice import make_vae, vae_kind, vae_there

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


log = logging.getLogger("sdv2_live.model")


def dtype_name(dtype: torch.dtype) -> str:
    """The name that the configuration has for a precision."""
    return next(name for name, known in DTYPES.items() if known is dtype)


@dataclass(frozen=True, slots=True)
class Models:
    """A profile's models, ready to run; the text encoder is loaded when it is first used."""

    profile: Profile
    dit: CausalDiT
    vae: WanVAE | TAEHV
    text: Text
    loras: LoraSet = field(default_factory=LoraSet)
    kind: str = ""  # of the autoencoder, one of VAES


def choose_device(name: str) -> torch.device:
    """auto, cpu or cuda to a device. Raises EngineError when CUDA is asked for and absent."""
    if name == "cuda" and not torch.cuda.is_available():
        raise EngineError(
            "model.device = cuda, but torch finds no CUDA device: install the CUDA build of torch and an NVIDIA driver, "
            "or set model.device to auto"
        )
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """auto: on a CPU bfloat16 where it is faster there than float32; on a GPU bfloat16 where it multiplies it, else float16."""
    if name != "auto":
        return DTYPES[name]
    if device.type == "cpu":
        return torch.bfloat16 if faster_in_bf16() else torch.float32
    return gpu_dtype(torch.cuda.get_device_capability(device))


def gpu_dtype(capability: tuple[int, int]) -> torch.dtype:
    """bfloat16 from compute capability 8.0 (Ampere) on. Older GPUs only emulate it, which torch counts as support too."""
    return torch.bfloat16 if capability >= (8, 0) else torch.float16


def has_weights(profile: Profile, vae: str, weights_dir: Path, *, text: bool = True) -> bool:
    """True when every file exists that `load_models` would read. Files may still be damaged.

    Args:
        profile: the profile.
        vae: one of VAES, or auto: any.
        weights_dir: folder of the weights.
        text: require the text encoder's files too. A show does without when all its prompts are encoded already.
    """
    if profile.files is None:
        return True
    files = profile.files
    vae_kind(profile, vae)
    painting = all(any(is_there(weights_dir / name) for name in names) for names in files.painting(vae))
    return painting and not (text and missing_text(profile.name, files, weights_dir))


def load_models(
    profile: Profile,
    *,
    device: torch.device,
    dtype: torch.dtype,
    vae: str,
    weights_dir: Path,
    placement: Placement = Placement.GPU,
    dit_device: torch.device | None = None,
    blocks: range | None = None,
) -> Models:
    """All models of a profile.

    Args:
        profile: the profile.
        device: where the models run.
        dtype: precision of the models.
        vae: auto or one of VAES.
        weights_dir: folder of the weights.
        placement: place of the text encoder, which is not loaded yet.
        dit_device: where the DiT waits to be put into 8 bits on its way to the device (fp8.to_fp8).
        blocks: of the DiT, those that are read; None for all.

    Raises:
        WeightsError: names the file that is missing or unfit.
    """
    kind = vae_there(profile, vae, weights_dir)
    text = new_text(profile, device=device, dtype=dtype, weights_dir=weights_dir, placement=placement, embedded=EMBEDDED)
    if profile.files is None:
        models = _load_embedded(profile, kind, device, dtype, text)
        if blocks is not None:
            models.dit.keep(blocks)
        return models
    files = profile.files
    dit = load_dit(profile, dit_device or device, dtype, weights_dir, blocks)
    autoencoder = on_meta(lambda: make_vae(profile, kind))
    rename = autoencoder.own_rows if isinstance(autoencoder, TAEHV) else dict
    assign(autoencoder, find_file(weights_dir, files.vae(kind)), device, dtype, rename)
    return Models(profile, dit, _placed(autoencoder), text, kind=kind)


def load_dit(
    profile: Profile, device: torch.device, dtype: torch.dtype, weights_dir: Path, blocks: range | None = None
) -> CausalDiT:
    """The transformer alone, or these blocks of it with all that is no block. Raises WeightsError like `load_models`."""
    if profile.files is None:
        text = new_text(profile, device=device, dtype=dtype, weights_dir=weights_dir, embedded=EMBEDDED)
        dit = _load_embedded(profile, vae_there(profile, "auto", weights_dir), device, dtype, text).dit
        if blocks is not None:
            dit.keep(blocks)
        return dit
    dit, files = on_meta(lambda: CausalDiT(profile.dit)), profile.files
    part = None if blocks is None else partial(in_part, blocks)
    assign(dit, find_file(weights_dir, files.dit), device, dtype, member=files.member, part=part)
    if blocks is not None:
        dit.keep(blocks)
    if files.lora is not None:
        own = LoraSource(profile.name, find_file(weights_dir, (files.lora.file,)), live=False, alpha=files.lora.alpha)
        merge_loras(dit, read_loras(dit, [own]))
    return dit.eval().requires_grad_(False)


def dit_digests(profile: Profile, dtype: torch.dtype, weights_dir: Path, blocks: range | None = None) -> dict[str, str]:
    """Digests of the files of the transformer's weights: of these blocks, and of all that is no block (see `digests`).

    A LoRA that is a part of the model is read whole. Raises WeightsError like `load_models`.
    """
    part, files = partial(in_part, blocks if blocks is not None else range(profile.dit.layers)), profile.files
    if files is None:
        state = read_checkpoint(EMBEDDED) if EMBEDDED.is_file() else {}
        own = {key.removeprefix("dit."): value for key, value in state.items() if key.startswith("dit.")}
        return digests({key: value for key, value in own.items() if part(key)}, {}, dtype)
    file = find_file(weights_dir, files.dit)
    found = part_digests(on_meta(lambda: CausalDiT(profile.dit)), file, dtype, part, files.member)
    if files.lora is not None:
        with find_file(weights_dir, (files.lora.file,)).open("rb") as lora:
            found[files.lora.file] = hashlib.file_digest(lora, "sha256").hexdigest()[:16]
    return found


def _load_embedded(profile: Profile, kind: str, device: torch.device, dtype: torch.dtype, text: Text) -> Models:
    """The model inside the package; without its weights file, untrained weights that are the same everywhere."""
    dit, vae = CausalDiT(profile.dit), make_vae(profile, kind)
    parts: dict[str, nn.Module] = {"dit": dit, "vae": vae}
    state = read_checkpoint(EMBEDDED) if EMBEDDED.is_file() else None
    if state is None:
        log.warning("%s is missing: %s paints with untrained weights; install sdv2-live again", EMBEDDED, profile.name)
    for name, model in parts.items():
        prefix = f"{name}."
        if state is None:
            own = synthetic_state_dict({k: tuple(v.shape) for k, v in model.state_dict().items()}, 1.4 if name == "vae" else 1.0)
        else:
            own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        load_strict(model, own, f"{EMBEDDED} ({name})")
        model.to(device, dtype).eval().requires_grad_(False)
    return Models(profile, dit, _placed(vae), text, kind=kind)


def _placed(vae: WanVAE | TAEHV) -> WanVAE | TAEHV:
    channels_last(vae)
    return vae.eval().requires_grad_(False)
