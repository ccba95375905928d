"""From a checkpoint into a model: strictly, without a second copy, in the precision asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from sdv2_live.errors import WeightsError
from sdv2_live.model.checkpoints.assign import assign, on_meta, synthetic_state_dict, synthetic_tensor
from sdv2_live.model.checkpoints.mmap import release, touch
from sdv2_live.model.checkpoints.stored import StoredEmbedding, StoredLinear
from sdv2_live.model.sizes import Stage, TaehvConfig
from sdv2_live.model.vae.taehv import TAEHV

CPU = torch.device("cpu")
FP8 = torch.float8_e4m3fn


class Small(nn.Module):
    """Every kind of tensor that the real models have."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(512, 256)
        self.tied = nn.Embedding(512, 256)
        self.linear = nn.Linear(256, 512, bias=False)
        self.biased = nn.Linear(512, 256)
        self.norm = nn.Parameter(torch.ones(256))
        self.register_buffer("constant", torch.tensor([0.5], device="cpu"), persistent=False)

    constant: Tensor

    def forward(self, ids: Tensor) -> Tensor:
        y: Tensor = self.norm * self.biased(self.linear(self.words(ids)))
        return y + self.constant


def state(dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    shapes = {k: tuple(v.shape) for k, v in on_meta(Small).state_dict().items() if not k.startswith("tied")}
    return {key: value.to(dtype) for key, value in synthetic_state_dict(shapes).items()}


def tie(found: dict[str, Tensor]) -> dict[str, Tensor]:
    return found | {"tied.weight": found["words.weight"]}


def saved(folder: Path, tensors: dict[str, Tensor], name: str) -> Path:
    path = folder / name
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=path.suffix == ".pt")
    return path


def loaded(path: Path, dtype: torch.dtype, *, keep: bool = False) -> Small:
    model = on_meta(Small)
    assign(model, path, CPU, dtype, tie, keep=keep)
    return model


FORMS = ["m.safetensors", "m.pt", "old.pth"]


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("held", [torch.float32, torch.float16, torch.bfloat16, FP8])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_precision_becomes_the_one_asked_for(tmp_path: Path, name: str, held: torch.dtype, dtype: torch.dtype) -> None:
    if held == FP8 and name == "old.pth":
        pytest.skip("fp8 is younger than this form, which cannot hold it")
    model = loaded(saved(tmp_path, state(held), name), dtype)
    for key, value in tie(state(held)).items():
        assert torch.equal(model.state_dict()[key], value.to(dtype)), key
    assert {buffer.dtype for buffer in model.buffers()} == {dtype}
    assert model.constant.item() == 0.5
    assert model.words.weight.data_ptr() == model.tied.weight.data_ptr()  # one place, not two


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("held", [torch.bfloat16, FP8])
def test_kept_matrices_give_what_widened_ones_give(tmp_path: Path, held: torch.dtype, dtype: torch.dtype) -> None:
    path = saved(tmp_path, state(held), "m.safetensors")
    kept, wide = loaded(path, dtype, keep=True), loaded(path, dtype)
    ids = torch.tensor([[3, 9, 511]])
    assert torch.equal(kept.forward(ids), wide.forward(ids))
    stays = held.itemsize < dtype.itemsize
    assert isinstance(kept.linear, StoredLinear) == isinstance(kept.words, StoredEmbedding) == stays
    assert isinstance(kept.biased, nn.Linear)
    if stays:
        assert isinstance(kept.words, StoredEmbedding)
        assert isinstance(kept.tied, StoredEmbedding)
        assert kept.words.stored.dtype == held
        assert kept.words.stored.data_ptr() == kept.tied.stored.data_ptr()
    assert {parameter.dtype for parameter in kept.parameters()} == {dtype}


@pytest.mark.parametrize("keep", [True, False])
def test_the_scale_of_an_fp8_matrix_is_applied(tmp_path: Path, keep: bool) -> None:
    tensors = state() | {"linear.weight": state()["linear.weight"].to(FP8)}
    scale = {"linear.scale_weight": torch.tensor([0.25]), "scaled_fp8": torch.empty(2, dtype=FP8)}
    plain = loaded(saved(tmp_path, tensors, "plain.safetensors"), torch.float32)
    scaled = loaded(saved(tmp_path, tensors | scale, "scaled.safetensors"), torch.float32, keep=keep)
    x = torch.ones(1, 256)
    assert torch.equal(scaled.linear(x), plain.linear(x) * 0.25)


@pytest.mark.parametrize(
    ("further", "said"),
    [
        ({"linear.scale_weight": torch.ones(1)}, r"linear\.scale_weight \[1\] is no scale of an fp8 weight"),
        ({"other.scale_weight": torch.ones(1)}, r"other\.scale_weight \[1\] is no scale"),
        ({"linear.scale_input": torch.ones(1)}, r"unexpected linear\.scale_input \[1\]"),
        ({"norm": torch.ones(256, dtype=torch.int64)}, r"norm is int64 in the file, a floating-point tensor in the model"),
        ({"norm": torch.ones(255)}, r"norm is \[255\] in the file, \[256\] in the model"),
        ({"norm": torch.ones(())}, r"norm is \[\] in the file, \[256\] in the model"),
    ],
)
def test_what_does_not_fit_is_told_by_file_key_and_shape(tmp_path: Path, further: dict[str, Tensor], said: str) -> None:
    with pytest.raises(WeightsError, match=rf"m\.safetensors: .*{said}"):
        loaded(saved(tmp_path, state() | further, "m.safetensors"), torch.float32)


@pytest.mark.parametrize("name", ["m.safetensors", "m.pt"])
def test_weights_of_the_right_precision_stay_views_of_the_file(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path, state(), name)
    model = loaded(path, torch.float32)
    before = model.linear.weight.clone()
    model.linear.weight.data.zero_()  # the mapping is private: the file does not change
    path.rename(tmp_path / "gone")  # and it may be replaced
    assert torch.equal(model.biased.weight, state()["biased.weight"])
    assert torch.equal(
        loaded(tmp_path / "gone" if name == "m.pt" else _back(tmp_path, name), torch.float32).linear.weight, before
    )


def _back(folder: Path, name: str) -> Path:
    return (folder / "gone").rename(folder / name)


def test_pages_are_given_back_and_read_again(tmp_path: Path) -> None:
    torch.save({"weight": torch.arange(50_000.0)}, tmp_path / "m.pt")
    tensor = torch.load(tmp_path / "m.pt", mmap=True)["weight"]
    for part in (tensor, tensor[100:], tensor[:10], tensor[:0], tensor[:40_000].view(200, 200).T):
        touch(part)
        release(part)
    assert torch.equal(tensor, torch.arange(50_000.0))


MEASURE = """
import gc, re, sys, torch
from pathlib import Path
from sdv2_live.model.checkpoints.assign import assign, on_meta

def memory(key):
    return int(re.findall(key + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[0]) / 1024

class Layers(torch.nn.Sequential):
    def __init__(self):
        super().__init__(*(torch.nn.Linear(1024, 1024, bias=False) for _ in range(32)))

for dtype in (torch.bfloat16, torch.float32):
    for file in sys.argv[1:]:
        model = on_meta(Layers)
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")
        peak, own = memory("VmHWM"), memory("RssAnon")
        assign(model, Path(file), torch.device("cpu"), dtype)
        print(memory("VmHWM") - peak, memory("RssAnon") - own)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's account of a process's memory")
def test_no_second_copy_of_the_model_in_memory(tmp_path: Path) -> None:
    """32 layers of 4 MB: 128 MB when they are mapped, none of them the process's own; 64 MB and one layer when converted."""
    tensors = {f"{i}.weight": torch.zeros(1024, 1024) for i in range(32)}
    files = [str(saved(tmp_path, tensors, name)) for name in ("m.safetensors", "m.pt")]
    child = subprocess.run([sys.executable, "-c", MEASURE, *files], stdout=subprocess.PIPE, text=True, check=True)
    (peak_a, own_a), (peak_b, own_b), *mapped = [map(float, line.split()) for line in child.stdout.splitlines()]
    for peak, own in ((peak_a, own_a), (peak_b, own_b)):
        assert peak < 84
        assert own < 76
    for peak, own in mapped:
        assert peak < 148
        assert own < 12


def test_a_taehv_file_with_more_time_growing_keeps_its_last_rows(tmp_path: Path) -> None:
    stages = (Stage(16, 1, 2, 2), Stage(16, 1, 2, 2)), (Stage(16, 1, 1, 2), Stage(16, 1, 2, 2))
    make = lambda: TAEHV(TaehvConfig(patch=2, encoder=stages[0], decoder=stages[1], final_width=16))  # noqa: E731
    tensors = synthetic_state_dict({key: tuple(value.shape) for key, value in on_meta(make).state_dict().items()})
    (key,) = [key for key, value in tensors.items() if key.startswith("decoder") and tuple(value.shape) == (16, 16, 1, 1)]
    tensors[key] = synthetic_tensor(key, (32, 16, 1, 1))
    model = on_meta(make)
    assign(model, saved(tmp_path, tensors, "m.pt"), CPU, torch.float32, model.own_rows)
    assert torch.equal(model.state_dict()[key], tensors[key][-16:])
    for rows in (8, 24):
        odd = tensors | {key: synthetic_tensor(key, (rows, 16, 1, 1))}
        model = on_meta(make)
        with pytest.raises(WeightsError, match=rf"{key} is \[{rows}, 16, 1, 1\] in the file, \[16, 16, 1, 1\] in the model"):
            assign(model, saved(tmp_path, odd, "m.pt"), CPU, torch.float32, model.own_rows)
