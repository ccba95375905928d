"""The catalogue of weight files: each profile's files, their publishers, sizes and sums.

Sizes and SHA-256 sums are those of the files as their publishers give them. Where one is None it is not recorded here: the
server's own is taken at the time of the download (the Hub names the SHA-256 of every large file).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sdv2_live.errors import WeightsError
from sdv2_live.model.checkpoints.files import Files
from sdv2_live.model.profiles import Profile


@dataclass(frozen=True, slots=True)
class Hub:
    """A file of a repository on the Hugging Face Hub, or a mirror of it. revision: branch, tag or commit."""

    repo: str
    path: str
    revision: str = "main"

    def __str__(self) -> str:
        return f"{self.repo}/{self.path}"


@dataclass(frozen=True, slots=True)
class Web:
    """A file at an address of its own."""

    url: str

    def __str__(self) -> str:
        return self.url


Origin = Hub | Web


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file of a profile.

    Attributes:
        name: its path below model.weights_dir.
        part: dit, lora, vae, text or tokenizer.
        kind: one of several of a part.
        origins: in the order in which they are tried.
        size: in bytes.
        stand_ins: names under which the loader takes the same weights in another form.
    """

    name: str
    part: str
    kind: str
    origins: tuple[Origin, ...]
    size: int | None = None
    sha256: str | None = None
    stand_ins: tuple[str, ...] = ()

    @property
    def own(self) -> bool:
        """True for a file of one model; the others are for all."""
        return self.part in ("dit", "lora")


_WAN = "Wan-AI/Wan2.1-T2V-1.3B"
_WAN_REVISION = "37ec512624d61f7aa208f7ea8140a131f93afc9a"  # the commit whose sums stand below
_LIGHT = "lightx2v/Autoencoders"


def _wan(name: str, part: str, kind: str, size: int, sha256: str, stand_ins: tuple[str, ...] = ()) -> WeightFile:
    return WeightFile(name, part, kind, (Hub(_WAN, name, _WAN_REVISION), Hub(_WAN, name)), size, sha256, stand_ins)


SHARED = (
    _wan(
        "Wan2.1_VAE.pth",
        "vae",
        "wan",
        507_609_880,
        "38071ab59bd94681c686fa51d75a1968f64e470262043be31f7a094e442fd981",
        ("Wan2.1_VAE.safetensors",),
    ),
    WeightFile(
        "taew2_1.pth",
        "vae",
        "taehv",
        # Its author keeps it in a git repository; the Hub has a copy.
        (Web("https://raw.githubusercontent.com/madebyollin/taehv/main/taew2_1.pth"), Hub(_LIGHT, "taew2_1.pth")),
        22_678_901,
        "d26151e76cdc2c9424bef988de874b33d9a53f30ef3060cd556c429c469c797e",
        ("taew2_1.safetensors",),
    ),
    WeightFile(
        "lightvaew2_1.pth",
        "vae",
        "light",
        (Hub(_LIGHT, "lightvaew2_1.pth"),),
        32_208_043,
        "d5d6b094d4829fb03b6179be2cf4589baab21c9fea1ca70dcaa8c85ba8183ec9",
        ("lightvaew2_1.safetensors",),
    ),
    WeightFile(
        "lighttaew2_1.pth",
        "vae",
        "lighttae",
        (Hub(_LIGHT, "lighttaew2_1.pth"),),
        45_301_802,
        "7c55c7d6b8eb3d24c7daca1295dea803fb847411e2c67bceecbb286f4dfdbef5",
        ("lighttaew2_1.safetensors",),
    ),
    _wan(
        "models_t5_umt5-xxl-enc-bf16.pth",
        "text",
        "bf16",
        11_361_920_418,
        "7cace0da2b446bbbbc57d031ab6cf163a3d59b366da94e5afe36745b746fd81d",
    ),
    WeightFile(
        "umt5-xxl-enc-fp8_e4m3fn.safetensors",
        "text",
        "fp8",
        (Hub("Kijai/WanVideo_comfy", "umt5-xxl-enc-fp8_e4m3fn.safetensors"),),
        6_731_333_792,
        "3fe5173588270c22505d4f9158bb1644b78331b8614206a97e92760b960c9ffa",
    ),
    *(
        _wan(f"google/umt5-xxl/{name}", "tokenizer", "umt5-xxl", size, sha256)
        for name, size, sha256 in (
            ("spiece.model", 4_548_313, "e3909a67b780650b35cf529ac782ad2b6b26e6d1f849d3fbb6a872905f452458"),
            ("tokenizer.json", 16_837_417, "6e197b4d3dbd71da14b4eb255f4fa91c9c1f2068b20a2de2472967ca3d22602b"),
            ("tokenizer_config.json", 61_728, "ed9a3a8b0faa71a70a32847e0435fe036e6e112d4df4edb7bb48a921e344dc05"),
            ("special_tokens_map.json", 6_623, "7b8a9f5040adb67b5805abdfd42c1f8d0f3d0e711f10726580eb3789cd0ad61d"),
        )
    ),
)

VAES = tuple(file.kind for file in SHARED if file.part == "vae")
TEXTS = tuple(file.kind for file in SHARED if file.part == "text")


def profile_files(profile: Profile) -> tuple[WeightFile, ...]:
    """Every file that a profile can use, none for one that is embedded in the package."""
    return () if profile.files is None else (*_own(profile.files), *SHARED)


def all_files(profiles: Iterable[Profile]) -> dict[WeightFile, Profile]:
    """Every file of these profiles, each with the first profile that it is for."""
    found: dict[WeightFile, Profile] = {}
    for profile in profiles:
        for file in profile_files(profile):
            found.setdefault(file, profile)
    return found


def _own(files: Files) -> tuple[WeightFile, ...]:
    """The files that are the profile's alone."""
    name, *stand_ins = files.dit
    dit = WeightFile(name, "dit", name, _hub(files.origins), stand_ins=tuple(stand_ins))
    return (dit, WeightFile(files.lora.file, "lora", files.lora.file, _hub(files.lora.origins))) if files.lora else (dit,)


def _hub(origins: Iterable[str]) -> tuple[Hub, ...]:
    parts = (origin.split("/", 2) for origin in origins)
    return tuple(Hub(f"{owner}/{name}", path) for owner, name, path in parts)


def needed(profile: Profile, vae: str = "auto", text: str = "bf16") -> tuple[WeightFile, ...]:
    """The files that a profile needs with this autoencoder (auto: the profile's own) and this text encoder.

    Raises WeightsError for a profile that needs no files.
    """
    if profile.files is None:
        raise WeightsError(f"the {profile.name} model is part of sdv2-live and needs no download; others: sdv2-live weights list")
    chosen = {"vae": profile.vae if vae == "auto" else vae, "text": text}
    return tuple(file for file in profile_files(profile) if chosen.get(file.part, file.kind) == file.kind)
