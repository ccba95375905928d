"""The files of each model, and a check that they exist. Free of torch, so that a show reports missing ones at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sdv2_live.errors import WeightsError

# Precision class of each text encoder's file; in the order in which they, or where there is none their embeddings, are taken.
PRECISIONS = {"models_t5_umt5-xxl-enc-bf16.pth": "bf16", "umt5-xxl-enc-fp8_e4m3fn.safetensors": "fp8"}


@dataclass(frozen=True, slots=True)
class BaseLora:
    """A LoRA that is a part of its model.

    Attributes:
        file: its name below the weights directory.
        origins: OWNER/NAME/PATH of its copies on the Hugging Face Hub.
        alpha: of every layer; None: as the file says.
    """

    file: str
    origins: tuple[str, ...] = ()
    alpha: float | None = None


@dataclass(frozen=True, slots=True)
class Files:
    """File names below the weights directory; the first of a tuple that exists is taken.

    Attributes:
        dit: the transformer's names.
        origins: OWNER/NAME/PATH of its copies on the Hugging Face Hub, under its first name.
        member: which of the models in its file is meant; None: the first that is there.
        lora: what is merged into it.
    """

    dit: tuple[str, ...]
    origins: tuple[str, ...] = ()
    member: str | None = None
    lora: BaseLora | None = None
    wan: tuple[str, ...] = ("Wan2.1_VAE.pth", "Wan2.1_VAE.safetensors")
    light: tuple[str, ...] = ("lightvaew2_1.pth", "lightvaew2_1.safetensors")
    taehv: tuple[str, ...] = ("taew2_1.pth", "taew2_1.safetensors")
    lighttae: tuple[str, ...] = ("lighttaew2_1.pth", "lighttaew2_1.safetensors")
    text: tuple[str, ...] = tuple(PRECISIONS)
    tokenizer: str = "google/umt5-xxl"
    own_vae: str = "wan"

    @property
    def vaes(self) -> dict[str, tuple[str, ...]]:
        """The names by kind of autoencoder (vae_choice.VAES), from the best picture to the fastest."""
        return {"wan": self.wan, "light": self.light, "taehv": self.taehv, "lighttae": self.lighttae}

    def vae(self, kind: str) -> tuple[str, ...]:
        """The names of an autoencoder's file; of auto, those of all kinds: any will do."""
        return tuple(name for names in self.vaes.values() for name in names) if kind == "auto" else self.vaes[kind]

    def painting(self, vae: str) -> tuple[tuple[str, ...], ...]:
        """The names of each file that is needed to paint, with this autoencoder (auto: any)."""
        lora = ((self.lora.file,),) if self.lora else ()
        return (self.dit, *lora, self.vae(vae))

    def vae_there(self, folder: Path) -> str:
        """The kind that auto takes: the best whose file is there; the model's own where none is."""
        there = (kind for kind, names in self.vaes.items() if any((folder / name).is_file() for name in names))
        return next(there, self.own_vae)


def file_names(file: str) -> tuple[str, ...]:
    """The names of a DiT's file: as published, as safetensors in its folder, whole or in shards, also as diffusers names them."""
    folder, slash, own = file.rpartition("/")
    stems = dict.fromkeys((own.rpartition(".")[0], *(("model", "diffusion_pytorch_model") if slash else ())))
    safe = (f"{folder}{slash}{stem}.safetensors{ending}" for stem in stems for ending in ("", ".index.json"))
    return tuple(dict.fromkeys((file, *safe)))


@dataclass(frozen=True, slots=True)
class TextIdentity:
    """Identity of a text encoder: its name and the precision class of its weights, known without its file.

    Attributes:
        fingerprint: of the file itself, empty when the file is missing.
    """

    name: str
    precision: str
    fingerprint: str = ""

    def __str__(self) -> str:
        return f"{self.name}-{self.precision}"

    def made_by(self, other: TextIdentity) -> bool:
        """True when an embedding made by `other` may stand for one of this encoder's.

        Name and precision must agree, and the file too, unless one of the two files is unknown.
        """
        same_file = not (self.fingerprint and other.fingerprint) or self.fingerprint == other.fingerprint
        return (self.name, self.precision) == (other.name, other.precision) and same_file


def text_identities(files: Files) -> tuple[TextIdentity, ...]:
    """The acceptable text encoders, the preferred first, as known without their files."""
    return tuple(TextIdentity("umt5-xxl", PRECISIONS[name]) for name in files.text)


def find_file(folder: Path, names: tuple[str, ...]) -> Path:
    """The first of `names` that is below `folder`. Raises WeightsError naming all of them."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise WeightsError(f"{folder}: holds none of {', '.join(names)}; put the file there or set model.weights_dir to where it is")


def require_painter(profile: str, files: Files, vae: str, folder: Path) -> None:
    """Raise WeightsError, with the command that downloads it, where the DiT or the autoencoder is missing.

    Args:
        profile: name of the profile.
        files: its files.
        vae: the value of model.vae.
        folder: the weights directory.
    """
    try:
        for names in files.painting(vae):
            find_file(folder, names)
    except WeightsError as error:
        fetch = f"sdv2-live weights download {profile}" + (f" --vae {vae}" if vae != "auto" else "")
        raise WeightsError(f"{error}; to fetch what is missing: {fetch}") from error


def missing_text(profile: str, files: Files, folder: Path) -> str:
    """A sentence on the missing files of the profile's text encoder, with the remedy; empty when none is missing."""
    tokenizer = folder / files.tokenizer
    if not any((folder / name).is_file() for name in files.text):
        lacking = f"{folder}: holds none of {', '.join(files.text)}"
    elif not tokenizer.is_dir():
        lacking = f"{tokenizer}: the tokenizer's folder is missing"
    else:
        return ""
    return (
        f"{lacking}; fetch it: sdv2-live weights download {profile}; or encode the prompts where it is: sdv2-live prompt encode, "
        "and copy the folder of model.prompt_cache here"
    )


def unknown_prompt(prompt: str, missing: str) -> WeightsError:
    """The error of a show that begins with a prompt not encoded yet, and that lacks its text encoder (see missing_text)."""
    return WeightsError(f"the prompt {prompt[:60]!r} is not encoded yet, and the text encoder is not there: {missing}")
