"""The autoencoders a user can choose from: two of the Wan VAE's architecture, two of TAEHV's.

All take and give the same latents, so that one stands in for another: light and lighttae were distilled from wan and taehv
by the makers of LightX2V.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sdv2_live.errors import WeightsError
from sdv2_live.model.profiles import Profile
from sdv2_live.model.vae.taehv import TAEHV
from sdv2_live.model.vae.wan import WanVAE

VAES = ("wan", "light", "taehv", "lighttae")  # from the best picture to the fastest; model.vae takes these and auto
LIGHT_WIDTH = 4  # LightVAE has a quarter of every width


def vae_kind(profile: Profile, vae: str) -> str:
    """The autoencoder that `vae` (model.vae) means for this profile: auto is the profile's own. Raises WeightsError."""
    kind = profile.vae if vae == "auto" else vae
    suited = [known for known in VAES if (profile.files is not None or known == profile.vae)]
    if kind not in suited:
        raise WeightsError(f"model.vae = {vae}, but the {profile.name} model has only {', '.join(suited)}; set model.vae to auto")
    return kind


def vae_there(profile: Profile, vae: str, weights_dir: Path) -> str:
    """`vae_kind`, but of a model with files auto is the best autoencoder whose file is there. Raises WeightsError."""
    return profile.files.vae_there(weights_dir) if vae == "auto" and profile.files is not None else vae_kind(profile, vae)


def make_vae(profile: Profile, kind: str) -> WanVAE | TAEHV:
    """An autoencoder of that kind (of VAES), without weights."""
    if kind in ("taehv", "lighttae"):
        return TAEHV(profile.taehv)
    if profile.wan is None:
        raise WeightsError(f"the {profile.name} model has no autoencoder {kind}; set model.vae to auto")
    return WanVAE(replace(profile.wan, dim=profile.wan.dim // LIGHT_WIDTH) if kind == "light" else profile.wan)
