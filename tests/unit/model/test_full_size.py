"""The real checkpoints at full size: found, whole, and fitting their models, without their gigabytes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.full_size import manifest, umt5_fp8_dtype, write_header, write_sparse, write_sparse_shards

from sdv2_live.cli import main
from sdv2_live.config.profiles import PROFILES
from sdv2_live.errors import WeightsError
from sdv2_live.model.checkpoints.checkpoint import INDEX
from sdv2_live.model.load import has_weights
from sdv2_live.weights.catalog import WeightFile, all_files
from sdv2_live.weights.fit import check_fit
from sdv2_live.weights.local import Folder, State, cut_off


def known(name: str) -> WeightFile:
    (file,) = (file for file in all_files(PROFILES.values()) if file.name == name)
    return file


@pytest.mark.parametrize(
    ("name", "found_as", "keys", "dtype"),
    [
        ("wan_causal_dmd_v2v/model.pt", "model.pt", "dit_1_3b", torch.bfloat16),
        ("wan_causal_dmd_v2v/model.pt", "model.safetensors", "dit_1_3b", torch.float32),
        ("Wan2.1_VAE.pth", "m.pth", "wan_vae", torch.float32),
        ("lightvaew2_1.pth", "m.pth", "light_vae", torch.float32),
        ("taew2_1.pth", "m.safetensors", "taew2_1", torch.float16),
        ("lighttaew2_1.pth", "m.pth", "taew2_1", torch.float32),
        ("models_t5_umt5-xxl-enc-bf16.pth", "m.pth", "umt5_xxl_encoder", torch.bfloat16),
    ],
)
def test_each_real_file_fits_its_model(tmp_path: Path, name: str, found_as: str, keys: str, dtype: torch.dtype) -> None:
    path = write_sparse(tmp_path / found_as, manifest(keys), dtype)
    assert not cut_off(path)
    check_fit(known(name), path, PROFILES["1.3b"])
    missing = dict(list(manifest(keys).items())[1:])
    with pytest.raises(WeightsError, match=rf"{found_as}: does not fit \w+: missing"):
        check_fit(known(name), write_sparse(path, missing, dtype), PROFILES["1.3b"])


def test_the_fp8_text_encoder_has_its_published_size_and_fits(tmp_path: Path) -> None:
    file = known("umt5-xxl-enc-fp8_e4m3fn.safetensors")
    path = tmp_path / file.name
    begin = write_header(path, {k: (shape, umt5_fp8_dtype(shape)) for k, shape in manifest("umt5_xxl_encoder").items()})
    assert file.size is not None
    assert abs(path.stat().st_size - file.size) < begin  # they differ by the header's spelling at most
    check_fit(file, path, PROFILES["1.3b"])


@pytest.mark.parametrize("stem", ["model", "diffusion_pytorch_model"])
def test_14b_in_shards(tmp_path: Path, stem: str) -> None:
    profile, file = PROFILES["14b"], known("wan_causal_dmd_v2v_14b/model.pt")
    folder = tmp_path / "wan_causal_dmd_v2v_14b"
    folder.mkdir()
    path = write_sparse_shards(folder / f"{stem}{INDEX}", manifest("dit_14b"), torch.bfloat16, shards=6)
    weights = Folder(tmp_path)
    assert weights.found(file) == path
    assert weights.state(file) is State.PRESENT
    assert weights.problem(file) is None
    assert (weights.size(file) or 0) > 28e9
    check_fit(file, path, profile)
    with pytest.raises(
        WeightsError, match=r"index\.json: does not fit CausalDiT: unexpected blocks\.30\..* \[5120\].* and 1088 more"
    ):
        check_fit(file, path, PROFILES["1.3b"])
    assert profile.files is not None
    (tmp_path / profile.files.tokenizer).mkdir(parents=True)
    for name in (profile.files.wan[0], profile.files.text[0]):
        (tmp_path / name).touch()
    assert has_weights(profile, "auto", tmp_path)

    shard = folder / f"{stem}-00003-of-00006.safetensors"
    with shard.open("r+b") as data:
        data.truncate(shard.stat().st_size - 1)
    assert weights.state(file) is State.DAMAGED
    assert weights.problem(file) == "is cut off or no weights file"
    shard.unlink()
    assert weights.state(file) is State.MISSING
    assert not has_weights(profile, "auto", tmp_path)


def test_shards_in_the_weights_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "wan_causal_dmd_v2v_14b"
    folder.mkdir()
    write_sparse_shards(folder / f"model{INDEX}", manifest("dit_14b"), torch.bfloat16, shards=6)
    where = ("--set", f"model.weights_dir={tmp_path}")
    assert main(["weights", "check", *where]) == 0
    assert f"wan_causal_dmd_v2v_14b/model{INDEX}: present" in capsys.readouterr().out
    assert main(["weights", "list", *where]) == 0
    assert "28.58 GB" in capsys.readouterr().out
    (folder / "model-00001-of-00006.safetensors").write_bytes(b"")
    assert main(["weights", "check", *where]) == 4
    assert "DAMAGED: model-00001-of-00006.safetensors is empty" in capsys.readouterr().out
