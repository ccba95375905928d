"""Which attention runs, and the zero rows of the text as one."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import types

import pytest
import torch
import torch.nn.functional as F
from support import tiny
from support.sums import normalised
from torch import Tensor

from sdv2_live.errors import EngineError
from sdv2_live.model.dit.attention import Attend, Choice, checked, choose_attention, sdpa
from sdv2_live.model.dit.dit import TEXT_TOKENS, CausalDiT
from sdv2_live.model.sizes import DitConfig

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def on_card(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], choice: Choice = "auto") -> str:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: types.SimpleNamespace(multi_processor_count=132))
    return choose_attention(choice, CUDA, torch.bfloat16).name


def test_the_card_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("flash_attn_interface", "sageattention"):
        monkeypatch.setitem(sys.modules, module, None)  # not installed
    assert on_card(monkeypatch, (8, 6)) == "sdpa (flash)"
    assert on_card(monkeypatch, (9, 0)) == "sdpa (cuDNN)"
    assert on_card(monkeypatch, (12, 0)) == "sdpa (cuDNN)"
    for choice in ("flash3", "sage"):
        with pytest.raises(EngineError, match=f"engine.attention = {choice} needs .*; or set it to auto"):
            on_card(monkeypatch, (9, 0), choice)


def test_what_is_installed_is_called_as_it_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    flash3, sage = types.ModuleType("flash_attn_interface"), types.ModuleType("sageattention")
    splits: list[int] = []

    def flash_attn_func(q: Tensor, k: Tensor, v: Tensor, num_splits: int, return_attn_probs: bool = False) -> object:
        splits.append(num_splits)
        return normalised(q, k, v) if return_attn_probs else sdpa(q, k, v)

    def sageattn(q: Tensor, k: Tensor, v: Tensor, tensor_layout: str, is_causal: bool, return_lse: bool = False) -> object:
        assert (tensor_layout, is_causal) == ("NHD", False)
        return normalised(q, k, v) if return_lse else sdpa(q, k, v)

    flash3.flash_attn_func, sage.sageattn = flash_attn_func, sageattn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "flash_attn_interface", flash3)
    monkeypatch.setitem(sys.modules, "sageattention", sage)
    assert on_card(monkeypatch, (9, 0)) == "flash3"
    assert on_card(monkeypatch, (8, 9)) == "sdpa (flash)"  # FlashAttention-3 is for Hopper
    assert on_card(monkeypatch, (9, 0), "sdpa") == "sdpa (cuDNN)"
    q, k, v = (torch.randn(1, n, 2, 4) for n in (3, 5, 5))
    for choice in ("flash3", "sage"):
        attend = choose_attention(choice, CUDA, torch.bfloat16)
        assert attend.name == choice
        assert torch.equal(attend(q, k, v), sdpa(q, k, v))
        assert attend.normalised is not None
        torch.testing.assert_close(attend.normalised(q, k, v), normalised(q, k, v))
    assert splits == [1, 1]


def test_an_older_flash_attention_3_tells_its_sums_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    older = types.ModuleType("flash_attn_interface")
    older.flash_attn_func = lambda q, k, v, num_splits: normalised(q, k, v)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "flash_attn_interface", older)
    assert on_card(monkeypatch, (9, 0)) == "flash3"
    attend, (q, k, v) = choose_attention("auto", CUDA, torch.bfloat16), (torch.randn(1, n, 2, 4) for n in (3, 5, 5))
    assert attend.normalised is not None
    torch.testing.assert_close(attend.normalised(q, k, v), normalised(q, k, v))
    torch.testing.assert_close(attend(q, k, v), sdpa(q, k, v))


def test_a_library_is_used_only_where_it_computes_what_pytorch_does(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sdv2_live.model.dit.attention.KEYS", 64)
    monkeypatch.setattr("sdv2_live.model.dit.attention.QUERIES", 16)

    def fails(*tensors: Tensor) -> Tensor:
        raise AssertionError("no kernel image")

    right, wrong = Attend("flash3"), Attend("flash3", lambda q, k, v: sdpa(q, k, v) * 1.05)
    assert checked(right, "flash3", 2, 16, CPU) is right
    assert checked(Attend("sage", wrong.run), "sage", 2, 16, CPU).run is wrong.run  # 8 bits may differ by as much
    for broken, why in ((wrong, "differs from PyTorch's by 0.05"), (Attend("flash3", fails), "AssertionError: no kernel image")):
        with pytest.raises(EngineError, match=rf"engine.attention = flash3 does not work here .*{why}.*or set it to auto"):
            checked(broken, "flash3", 2, 16, CPU)
        assert checked(broken, "auto", 2, 16, CPU).name == "sdpa"
        assert why in caplog.text


def test_on_a_cpu_there_is_one() -> None:
    assert choose_attention("auto", CPU, torch.float32).name == "sdpa"
    with pytest.raises(EngineError, match="sage needs a GPU"):
        choose_attention("sage", CPU, torch.float32)


def test_in_bf16_it_is_the_same_whatever_the_processor_may_use() -> None:
    """As many queries as are laid out anew for oneDNN, whose instructions ATen may lack."""
    script = (
        "import torch; from sdv2_live.model.dit.attention import attention as attend; torch.manual_seed(0); "
        "q, k, v = torch.randn(3, 1, 2, 100, 32); given = (x.bfloat16() for x in (q, k, v)); "
        "torch.testing.assert_close(attend(*given).float(), attend(q, k, v), rtol=0.02, atol=0.02)"
    )
    subprocess.run([sys.executable, "-c", script], env=os.environ | {"ATEN_CPU_CAPABILITY": "default"}, check=True)


@pytest.mark.parametrize("rows", [1, 20, 510, 511, 512])
@torch.inference_mode()
def test_the_zero_rows_as_one_weigh_as_much_as_all_of_them(rows: int) -> None:
    dit = CausalDiT(DitConfig(dim=96, heads=2, ffn=192, layers=1, text_dim=tiny.TEXT_DIM))
    tiny.synthetic(dit)
    context = torch.randn(1, rows, tiny.TEXT_DIM)
    found, whole = dit.condition(context), dit.condition(F.pad(context, (0, 0, 0, TEXT_TOKENS - rows)))
    assert whole.k.shape[2] == TEXT_TOKENS
    assert found.k.shape[2] == min(rows + 1, TEXT_TOKENS)
    if rows < 511:
        assert found.bias is not None
        assert float(found.bias[..., -1]) == pytest.approx(math.log(TEXT_TOKENS - rows))

    def attend(cross: object) -> Tensor:
        return sdpa(q, cross.k[0], cross.v[0], cross.bias)  # type: ignore[attr-defined]

    q = torch.randn(1, 7, 2, 48)
    torch.testing.assert_close(attend(found), attend(whole), rtol=1e-4, atol=1e-5)
