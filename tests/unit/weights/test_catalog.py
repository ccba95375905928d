"""The catalogue agrees with what the loaders look for."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from sdv2_live.config.profiles import PROFILES
from sdv2_live.config.schema import ModelConfig
from sdv2_live.config.schema_files import WeightsConfig
from sdv2_live.errors import WeightsError
from sdv2_live.model.checkpoints.files import Files
from sdv2_live.model.profiles import Profile
from sdv2_live.model.vae_choice import VAES
from sdv2_live.weights.catalog import SHARED, Hub, all_files, needed, profile_files
from sdv2_live.weights.catalog import VAES as PUBLISHED
from sdv2_live.weights.remote import Remote


@pytest.mark.parametrize("profile", [one for one in PROFILES.values() if one.files], ids=lambda one: one.name)
def test_what_is_fetched_is_what_the_loader_looks_for(profile: Profile) -> None:
    files = profile.files
    assert isinstance(files, Files)
    for vae in VAES:
        for file in needed(profile, vae):
            expected = {"dit": files.dit, "vae": files.vae(vae)}.get(file.part)
            assert expected is None or (file.name, *file.stand_ins) == expected
        names = {file.part: file.name for file in needed(profile, vae) if file.part != "tokenizer"}
        assert names["dit"] in files.dit
        assert names["vae"] in files.vae(vae)
        assert names["text"] in files.text
    assert {file.name for file in needed(profile, text="fp8")} & set(files.text) == {"umt5-xxl-enc-fp8_e4m3fn.safetensors"}
    tokenizer = [file.name for file in needed(profile) if file.part == "tokenizer"]
    assert len(tokenizer) == 4
    assert all(entry.startswith(f"{files.tokenizer}/") for entry in tokenizer)


def test_every_choice_is_in_the_settings_and_published() -> None:
    assert set(get_args(ModelConfig.model_fields["vae"].annotation)) == {"auto", *VAES}
    assert set(PUBLISHED) == set(VAES)


def test_each_profile_has_its_own_transformer_and_shares_the_rest() -> None:
    large, lora = set(profile_files(PROFILES["1.3b"])), set(profile_files(PROFILES["longlive"]))
    assert [file.part for file in sorted(large ^ lora, key=lambda file: file.part)] == ["dit", "dit", "lora"]
    assert profile_files(PROFILES["tiny"]) == ()


def test_sums_and_sizes_are_well_formed_and_names_stay_below_the_folder() -> None:
    files = all_files(PROFILES.values())
    assert len({name for file in files for name in (file.name, *file.stand_ins)}) == sum(
        1 + len(file.stand_ins) for file in files
    )
    for file in files:
        assert (file.sha256 is None) == (file.size is None)
        assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert not file.name.startswith("/")
        assert ".." not in file.name
        assert file.origins


def test_a_profile_that_needs_no_files_says_so() -> None:
    with pytest.raises(WeightsError, match="tiny model is part of sdv2-live"):
        needed(PROFILES["tiny"])


def test_with_an_endpoint_the_hub_is_asked_before_other_addresses() -> None:
    (taehv,) = (file for file in SHARED if file.kind == "taehv")
    assert not isinstance(next(Remote(WeightsConfig()).origins(taehv)), Hub)
    assert isinstance(next(Remote(WeightsConfig(endpoint="http://127.0.0.1:9")).origins(taehv)), Hub)
