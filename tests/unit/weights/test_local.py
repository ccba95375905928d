"""Files that are there: whole, damaged, checked once; and whether they fit their models, told without reading tensors."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path, PurePosixPath

import pytest
import torch
from safetensors.torch import save_file

from sdv2_live.config.profiles import TINY
from sdv2_live.errors import WeightsError
from sdv2_live.model.checkpoints.assign import synthetic_state_dict
from sdv2_live.model.checkpoints.checkpoint import read_checkpoint
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.text.umt5 import UMT5
from sdv2_live.model.vae.taehv import TAEHV
from sdv2_live.weights.catalog import Hub, WeightFile, all_files
from sdv2_live.weights.fit import check_fit
from sdv2_live.weights.local import Folder, State, cut_off

CONTENT = b"weights" * 1000
FILE = WeightFile("m.bin", "dit", "x", (Hub("a/b", "m.bin"),), len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


def test_a_files_state(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert folder.state(FILE) is State.MISSING
    folder.at(FILE).write_bytes(CONTENT)
    assert folder.state(FILE) is State.PRESENT
    assert folder.problem(FILE) is None
    assert folder.state(FILE) is State.VERIFIED
    assert Folder(tmp_path).state(FILE) is State.VERIFIED
    os.utime(folder.at(FILE), ns=(1, 1))
    assert folder.state(FILE) is State.PRESENT
    folder.at(FILE).write_bytes(CONTENT[1:])
    assert folder.state(FILE) is State.DAMAGED


def test_a_problem_is_said(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.at(FILE).write_bytes(CONTENT[1:])
    assert folder.problem(FILE) == "has 6,999 bytes in place of 7,000"
    folder.at(FILE).write_bytes(CONTENT[::-1])
    assert str(folder.problem(FILE)).startswith("has SHA-256 ")


def test_without_a_recorded_sum_the_one_of_the_download_counts(tmp_path: Path) -> None:
    folder, file = Folder(tmp_path), dataclasses.replace(FILE, size=None, sha256=None)
    folder.at(file).write_bytes(CONTENT)
    assert folder.problem(file) is None
    assert folder.state(file) is State.PRESENT  # nothing is known to check it against
    folder.note(file, hashlib.sha256(CONTENT).hexdigest())
    assert folder.state(file) is State.VERIFIED
    folder.at(file).write_bytes(CONTENT[::-1])
    assert str(folder.problem(file)).startswith("has SHA-256 ")


@pytest.mark.parametrize("notes", ["not json", "[]", '{"m.bin": 3}', '{"m.bin": ["a", "b", "c"]}'])
def test_damaged_notes_cost_only_a_new_check(tmp_path: Path, notes: str) -> None:
    folder = Folder(tmp_path)
    folder.at(FILE).write_bytes(CONTENT)
    (tmp_path / ".verified.json").write_text(notes)
    assert folder.state(FILE) is State.PRESENT
    assert folder.problem(FILE) is None
    assert folder.state(FILE) is State.VERIFIED


@pytest.mark.parametrize("name", ["m.pt", "m.safetensors"])
def test_a_file_without_its_end_is_seen(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    state = {"weight": torch.ones(300, 30)}
    save_file(state, path) if name.endswith("safetensors") else torch.save(state, path)
    assert not cut_off(path)
    path.write_bytes(path.read_bytes()[:-100])
    assert cut_off(path)


@pytest.mark.parametrize(
    "header",
    [
        '{"a":{"data_offsets":[]}}', '{"a":{"data_offsets":[0,"x"]}}', '{"a":{"data_offsets":[0,null]}}',
        '{"a":{"data_offsets":[0,1]},"b":{"data_offsets":[0,"x"]}}',
        '{"a":{"data_offsets":[0,1e400]}}', '{"a":{"data_offsets":[0,true]}}', "[" * 200_000,
        '{"a":[]}', '{"a":{"data_offsets":{}}}', "[1]", "\xff",
    ],
)  # fmt: skip
def test_a_damaged_header_is_a_damaged_file(tmp_path: Path, header: str) -> None:
    path, text = tmp_path / "m.safetensors", header.encode("latin-1")
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"\0" * 8)
    assert cut_off(path)
    assert Folder(tmp_path).state(dataclasses.replace(FILE, stand_ins=("m.safetensors",))) is State.DAMAGED


@pytest.mark.parametrize("name", ["m.pt", "m.safetensors", "m.json"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"1" * 64 + b"\nsize 5676000000\n",
            "Git LFS pointer of 5.7 GB",
        ),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer: run git lfs pull"),
        (b"\xef\xbb\xbf\n <!DOCTYPE HTML><html><body>Sign in</body></html>", "is a web page"),
        (b"GGUF\3\0\0\0" + b"\1" * 90, "is a GGUF file"),
        (b"", "is empty"),
        (b"\0" * 4096, "nothing but zeros"),
    ],
)
def test_what_people_have_in_the_place_of_weights_is_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path, file = tmp_path / name, WeightFile(name, "dit", "x", FILE.origins)
    path.write_bytes(content)
    assert Folder(tmp_path).state(file) is State.DAMAGED
    assert said in str(Folder(tmp_path).problem(file))
    if path.suffix != ".json":
        with pytest.raises(WeightsError, match=said) as told:
            read_checkpoint(path)
        assert "weights_only" not in str(told.value)


def test_nobody_is_advised_to_load_unsafely(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(1), "config": PurePosixPath("x")}, tmp_path / "m.pt")
    with pytest.raises(
        WeightsError, match=r"m.pt: cannot be read as weights \(it holds pathlib\S* and only tensors are read\)"
    ) as told:
        read_checkpoint(tmp_path / "m.pt")
    assert "weights_only" not in str(told.value)


def test_a_damaged_end_is_no_surprise(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    torch.save({"weight": torch.ones(3)}, path)
    whole = path.read_bytes()
    found = set()
    for at in range(len(whole) - 150, len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        found.add(cut_off(path))
    assert found == {True, False}


def test_the_same_weights_in_another_form_will_do(tmp_path: Path) -> None:
    folder, file = Folder(tmp_path), dataclasses.replace(FILE, stand_ins=("m.safetensors",))
    save_file({"weight": torch.ones(300, 30)}, tmp_path / "m.safetensors")
    assert folder.found(file) == tmp_path / "m.safetensors"
    assert folder.state(file) is State.PRESENT
    assert folder.problem(file) is None
    (tmp_path / "m.safetensors").write_bytes((tmp_path / "m.safetensors").read_bytes()[:-9])
    assert folder.state(file) is State.DAMAGED
    assert folder.problem(file) == "is cut off or no weights file"


def weights_file(part: str, kind: str = "x") -> WeightFile:
    return WeightFile("m.pt", part, kind, (Hub("a/b", "m.pt"),))


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize(("part", "kind"), [("dit", "x"), ("vae", "taehv"), ("text", "bf16")])
def test_a_file_that_fits_and_one_that_does_not(tmp_path: Path, part: str, kind: str, suffix: str) -> None:
    model = {"dit": lambda: CausalDiT(TINY.dit), "vae": lambda: TAEHV(TINY.taehv), "text": lambda: UMT5(TINY.text).encoder}[
        part
    ]()
    wanted = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    if part == "text":
        wanted = {key: shape for key, shape in wanted.items() if key != "encoder.embed_tokens.weight"}
    state = synthetic_state_dict(wanted)
    path = tmp_path / f"m{suffix}"

    def write() -> None:
        save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)

    if part != "text":  # the text encoder's keys are renamed from Wan's, which a golden case covers
        write()
        check_fit(weights_file(part, kind), path, TINY)
    key = next(iter(state))
    state[key] = torch.zeros(1)
    write()
    with pytest.raises(WeightsError, match=rf"m\{suffix}"):
        check_fit(weights_file(part, kind), path, TINY)


def test_every_real_file_has_a_model_to_fit(tmp_path: Path) -> None:
    from sdv2_live.config.profiles import PROFILES

    save_file({"one": torch.ones(1)}, tmp_path / "m.safetensors")
    for file in all_files(PROFILES.values()):
        if file.part in ("vae", "dit"):
            with pytest.raises(WeightsError, match=r"does not fit (CausalDiT|WanVAE|TAEHV): missing"):
                check_fit(file, tmp_path / "m.safetensors", PROFILES["1.3b"])
