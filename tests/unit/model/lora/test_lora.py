"""LoRAs: every key style, merged and live, several at once, and what is refused."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from support import tiny
from support.lora_files import ALPHA, RANK, STYLES, Pairs, linear_layers, pairs_for, write, write_style
from torch import Tensor

from sdv2_live.config.profiles import find_profile
from sdv2_live.errors import WeightsError
from sdv2_live.model.checkpoints.assign import on_meta
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.dit.layers import CrossKV
from sdv2_live.model.lora.alpha import _Pattern
from sdv2_live.model.lora.file import read_lora
from sdv2_live.model.lora.lora import LoraLinear, LoraSet, LoraSource, attach_loras, merge_loras, read_loras
from sdv2_live.model.sizes import DitConfig

CONFIG = DitConfig(dim=96, heads=2, ffn=192, layers=2, text_dim=tiny.TEXT_DIM)
SELF, CROSS = "blocks.0.self_attn.q", "blocks.1.cross_attn.k"


def new_dit(dtype: torch.dtype = torch.float32) -> CausalDiT:
    dit = CausalDiT(CONFIG)
    tiny.synthetic(dit)
    return dit.to(dtype)


def shapes() -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in CausalDiT(CONFIG).state_dict().items()}


@torch.inference_mode()
def painted(dit: CausalDiT) -> Tensor:
    """One call of the whole model, prompt included."""
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(1, 2, 16, 4, 4, generator=generator)
    context = torch.randn(1, 20, tiny.TEXT_DIM, generator=generator)
    cache = dit.new_cache(tiny.CACHE, (4, 4))
    return dit(x, torch.full((1, 2), 700.0), [0], cross=dit.condition(context), cache=cache, rope=dit.rope())


def load_loras(dit: CausalDiT, sources: Sequence[LoraSource]) -> LoraSet:
    """As a show takes them in, without quantised layers in between."""
    loras = read_loras(dit, sources)
    merge_loras(dit, loras)
    return attach_loras(dit, loras)


def merged(path: Path, scale: float = 1.0, dit: CausalDiT | None = None) -> CausalDiT:
    dit = dit or new_dit()
    load_loras(dit, [LoraSource("one", path, scale, live=False)])
    return dit


def live(path: Path, scale: float, dit: CausalDiT | None = None) -> CausalDiT:
    dit = dit or new_dit()
    load_loras(dit, [LoraSource("one", path)]).apply([scale])
    return dit


def changed_by_hand(pairs: Pairs, scale: float) -> CausalDiT:
    """W + scale * alpha / rank * B A, written out."""
    dit = new_dit()
    for module, (a, b) in pairs.items():
        dit.get_parameter(f"{module}.weight").data += scale * ALPHA / RANK * (b @ a)
    return dit


@pytest.fixture
def everywhere(tmp_path: Path) -> Path:
    """A LoRA of every linear layer."""
    dit = new_dit()
    return write(tmp_path / "all.safetensors", pairs_for(dit, linear_layers(dit)))


@pytest.mark.parametrize("style", STYLES)
def test_every_key_style_means_the_same(tmp_path: Path, style: str) -> None:
    dit = new_dit()
    pairs = pairs_for(dit, linear_layers(dit))
    file = read_lora(write_style(tmp_path, style, pairs), shapes())
    assert file.unmatched == ()
    assert {f"{module}.weight" for module in pairs} == file.low_rank.keys()
    for module, (a, b) in pairs.items():
        pair = file.low_rank[f"{module}.weight"]
        torch.testing.assert_close(pair.up @ pair.down, ALPHA / RANK * (b @ a))


@pytest.mark.parametrize("prefix", ["lycoris_", "module.", "generator.model.", "lora_unet_", "a b/c:", "_fsdp_wrapped_module."])
def test_a_prefix_is_whatever_stands_before_the_names_that_fit(tmp_path: Path, prefix: str) -> None:
    dit, known = new_dit(), shapes()
    pairs = pairs_for(dit, linear_layers(dit), rank=1)
    renamings: tuple[Callable[[str], str], ...] = (str, lambda n: n.replace(".", "_"), lambda n: n.replace("blocks.", "blocks_"))
    for number, rename in enumerate(renamings):
        path = tmp_path / f"{number}.safetensors"  # Windows writes over no file that is mapped
        names = {f"{prefix}{rename(module)}": pair for module, pair in pairs.items()}
        parts = {"lora_down": 0, "lora_up": 1}
        save_file({f"{name}.{part}.weight": pair[side] for name, pair in names.items() for part, side in parts.items()}, path)
        file = read_lora(path, known)
        assert file.low_rank.keys() == {f"{module}.weight" for module in pairs}
        assert file.unmatched == ()


def test_names_under_another_prefix_than_most_are_of_another_model(tmp_path: Path) -> None:
    pairs = pairs_for(new_dit(), ("blocks.0.self_attn.q", "blocks.1.self_attn.q"))
    alike = {f"vace_{CROSS}.lora_A.weight": torch.ones(4, 96), f"motion_encoder.{SELF}.lora_B.weight": torch.ones(96, 4)}
    path = write(tmp_path / "x.safetensors", pairs, alike)
    file = read_lora(path, shapes())
    assert file.low_rank.keys() == {f"{module}.weight" for module in pairs}
    assert set(file.unmatched) == {f"diffusion_model.{key}" for key in alike}
    only = {key: value for key, value in alike.items() if key.startswith("vace_")}
    save_file(only, tmp_path / "only.safetensors")
    with pytest.raises(WeightsError, match="none of its 1 keys names a part"):
        read_lora(tmp_path / "only.safetensors", shapes())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_files_of_every_precision(tmp_path: Path, dtype: torch.dtype) -> None:
    pairs = pairs_for(new_dit(), (SELF,))
    pair = read_lora(write_style(tmp_path, "kohya", pairs, dtype), shapes()).low_rank[f"{SELF}.weight"]
    assert pair.down.dtype is torch.float32
    torch.testing.assert_close(pair.down, pairs[SELF][0].to(dtype).float())


def test_without_alpha_the_scale_is_one(tmp_path: Path) -> None:
    pairs = pairs_for(new_dit(), (SELF,))
    save_file({f"{SELF}.lora_A.weight": pairs[SELF][0], f"{SELF}.lora_B.weight": pairs[SELF][1]}, tmp_path / "x.safetensors")
    pair = read_lora(tmp_path / "x.safetensors", shapes()).low_rank[f"{SELF}.weight"]
    torch.testing.assert_close(pair.up, pairs[SELF][1])


def test_pefts_patterns_and_rank_stabilised_scaling(tmp_path: Path) -> None:
    pairs = pairs_for(new_dit(), (SELF, CROSS))
    path = write_style(tmp_path, "peft", pairs)
    config = {"lora_alpha": 2, "alpha_pattern": {"cross_attn.k": 12}, "use_rslora": True}
    path.with_name("adapter_config.json").write_text(json.dumps(config))
    file = read_lora(path, shapes())
    torch.testing.assert_close(file.low_rank[f"{SELF}.weight"].up, 2 / 2 * pairs[SELF][1])  # the root of rank 4
    torch.testing.assert_close(file.low_rank[f"{CROSS}.weight"].up, 12 / 2 * pairs[CROSS][1])


@pytest.mark.parametrize(
    ("pattern", "means"),
    [
        ("cross_attn.k", True), ("k", True), (r"^blocks\.1\.cross_attn\.k$", True), (r"blocks.*\.k", True), (".*attn.k", True),
        ("^blocks.*cross.*k", True), ("attn.k", False), ("cross_attn", False), ("cross.*attn.*k.*k", False),
        ("^blocks.2.*k", False),
    ],
)  # fmt: skip
def test_what_a_pattern_of_peft_means(tmp_path: Path, pattern: str, means: bool) -> None:
    assert bool(re.match(rf"(.*\.)?({pattern})$", CROSS)) is means  # as PEFT reads it
    pairs = pairs_for(new_dit(), (CROSS,))
    path = write_style(tmp_path, "peft", pairs)
    path.with_name("adapter_config.json").write_text(json.dumps({"lora_alpha": 4, "alpha_pattern": {pattern: 12}}))
    up = read_lora(path, shapes()).low_rank[f"{CROSS}.weight"].up
    torch.testing.assert_close(up, (12 if means else 4) / 4 * pairs[CROSS][1])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ('{"lora_alpha": NaN}', "alpha of .*q.lora_A.weight is nan, no finite number"),
        ('{"lora_alpha": 1e999}', "alpha of .*q.lora_A.weight is inf"),
        ('{"lora_alpha": 1' + 400 * "0" + "}", "its LoRA configuration cannot be read"),
        ('{"alpha_pattern": {"((a+)+)+!": 1}}', r"alpha_pattern '\(\(a\+\)\+\)\+!' is no module's name"),
        (json.dumps({"alpha_pattern": {f"x{i}": 1 for i in range(5000)}}), "its alpha_pattern has 5000 entries"),
        ("[" * 100_000, "it is nested too deep"),
        ("[1]", "its LoRA configuration cannot be read"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused(tmp_path: Path, config: str, message: str) -> None:
    path = write_style(tmp_path, "peft", pairs_for(new_dit(), (SELF,)))
    path.with_name("adapter_config.json").write_text(config)
    with pytest.raises(WeightsError, match=message) as caught:
        read_lora(path, shapes())
    assert str(path) in str(caught.value)


def test_a_long_pattern_over_long_names_takes_no_time(tmp_path: Path) -> None:
    """What a backtracking match would still be at when the sun is out."""
    pattern = _Pattern(".*a" * 2000 + "b")
    assert not pattern.names("a" * 100_000)
    assert pattern.names("a" * 100_000 + "b")


def test_merged_equals_the_formula(tmp_path: Path) -> None:
    dit = new_dit()
    pairs = pairs_for(dit, linear_layers(dit))
    by_hand = changed_by_hand(pairs, 0.5)
    done = merged(write(tmp_path / "all.safetensors", pairs), 0.5)
    for name, value in by_hand.state_dict().items():
        torch.testing.assert_close(done.state_dict()[name], value)
    assert not any(isinstance(module, LoraLinear) for module in done.modules())


@pytest.mark.parametrize("scale", [1.0, 0.3, -0.7])
def test_live_equals_merged(everywhere: Path, scale: float) -> None:
    torch.testing.assert_close(painted(live(everywhere, scale)), painted(merged(everywhere, scale)), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(painted(merged(everywhere, scale)), painted(new_dit()), atol=1e-2)


def test_scale_zero_is_no_lora_at_all(everywhere: Path) -> None:
    without = painted(new_dit())
    assert torch.equal(painted(merged(everywhere, 0.0)), without)
    assert torch.equal(painted(live(everywhere, 0.0)), without)
    dit = new_dit()
    loras = load_loras(dit, [LoraSource("one", everywhere)])
    loras.apply([0.8])
    loras.apply([0.0])
    assert torch.equal(painted(dit), without)  # and the way back is exact


def test_several_add_up(tmp_path: Path) -> None:
    dit = new_dit()
    layers = linear_layers(dit)
    first = write(tmp_path / "1.safetensors", pairs_for(dit, layers, seed=1))
    second = write(tmp_path / "2.safetensors", pairs_for(dit, layers[:9], seed=2, rank=6))
    wanted = painted(merged(second, -0.4, merged(first, 0.6)))
    both = new_dit()
    load_loras(both, [LoraSource("a", first), LoraSource("b", second)]).apply([0.6, -0.4])
    torch.testing.assert_close(painted(both), wanted, rtol=1e-4, atol=1e-4)
    mixed = new_dit()
    load_loras(mixed, [LoraSource("a", first, 0.6, live=False), LoraSource("b", second)]).apply([9.9, -0.4])
    torch.testing.assert_close(painted(mixed), wanted, rtol=1e-4, atol=1e-4)


def test_additions_to_biases_norms_modulations_and_the_patch_embedding(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(3)
    shape = shapes()
    keys = {
        f"{SELF}.diff_b": f"{SELF}.bias",
        "blocks.0.norm3.diff": "blocks.0.norm3.weight",
        "blocks.1.diff_m": "blocks.1.modulation",
        "head.diff_m": "head.modulation",
        "blocks.1.ffn.2.diff": "blocks.1.ffn.2.weight",
        "patch_embedding.diff": "patch_embedding.weight",
    }
    shifts = {key: 0.2 * torch.randn(shape[target], generator=generator) for key, target in keys.items()}
    convolution = {  # A is the same convolution at a lower width, B one of a single pixel
        "patch_embedding.lora_down.weight": torch.randn(RANK, 16, 1, 2, 2, generator=generator) / 8,
        "patch_embedding.lora_up.weight": torch.randn(96, RANK, 1, 1, 1, generator=generator),
    }
    path = write(tmp_path / "diff.safetensors", {}, {**shifts, **convolution})
    done = merged(path, 0.5)
    before = new_dit().state_dict()
    for key, target in keys.items():
        added = 0.5 * shifts[key]
        if target == "patch_embedding.weight":
            down, up = convolution.values()
            added = added + 0.5 * torch.einsum("or,ricyx->oicyx", up.flatten(1), down)
        torch.testing.assert_close(done.state_dict()[target], before[target] + added)
    assert read_lora(path, shape).unmatched == ()
    torch.testing.assert_close(painted(live(path, 0.5)), painted(done), rtol=1e-4, atol=1e-4)


def test_a_bias_of_b_is_scaled_like_b(tmp_path: Path) -> None:
    pairs = pairs_for(new_dit(), (SELF,))
    path = write(tmp_path / "bias.safetensors", pairs, {f"{SELF}.lora_B.bias": torch.ones(96)})
    torch.testing.assert_close(read_lora(path, shapes()).shifts[f"{SELF}.bias"], torch.full((96,), ALPHA / RANK))


def test_a_change_of_scale_keeps_every_address(everywhere: Path) -> None:
    dit = new_dit()
    loras = load_loras(dit, [LoraSource("one", everywhere)])
    addresses = [tensor.data_ptr() for tensor in (*dit.parameters(), *dit.buffers())]
    for scale in (0.5, 1.0, 0.0):
        loras.apply([scale])
    assert [tensor.data_ptr() for tensor in (*dit.parameters(), *dit.buffers())] == addresses


def test_which_scales_a_prompt_depends_on(tmp_path: Path) -> None:
    dit = new_dit()
    picture = write(tmp_path / "picture.safetensors", pairs_for(dit, (SELF, "blocks.0.cross_attn.q", "blocks.0.ffn.0")))
    key = write(tmp_path / "key.safetensors", pairs_for(dit, (CROSS,)))
    norm = write(tmp_path / "norm.safetensors", {}, {"blocks.0.cross_attn.norm_k.diff": torch.ones(96)})
    text = write(tmp_path / "text.safetensors", pairs_for(dit, ("text_embedding.2",)))
    files = (picture, key, norm, text)
    loras = load_loras(dit, [LoraSource(file.stem, file) for file in files])
    assert loras.apply([0.1, 0.2, 0.3, 0.4]) == (0.2, 0.3, 0.4)


def test_cross_keys_change_with_the_scale(tmp_path: Path) -> None:
    def condition(dit: CausalDiT) -> CrossKV:
        with torch.inference_mode():
            return dit.condition(torch.randn(1, 20, tiny.TEXT_DIM, generator=torch.Generator().manual_seed(1)))

    path = write(tmp_path / "key.safetensors", pairs_for(new_dit(), (CROSS,)))
    torch.testing.assert_close(condition(live(path, 0.6)).k, condition(merged(path, 0.6)).k, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(condition(live(path, 0.6)).k, condition(new_dit()).k, atol=1e-2)


def test_in_bf16_merging_rounds_once(tmp_path: Path) -> None:
    pairs = pairs_for(new_dit(), (SELF,))
    path = write(tmp_path / "one.safetensors", pairs)
    done = merged(path, 1.0, new_dit(torch.bfloat16)).get_parameter(f"{SELF}.weight")
    exact = new_dit(torch.bfloat16).get_parameter(f"{SELF}.weight").float() + ALPHA / RANK * (pairs[SELF][1] @ pairs[SELF][0])
    assert torch.equal(done, exact.bfloat16())


def test_keys_that_fit_nothing_are_counted_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pairs = pairs_for(new_dit(), (SELF,))
    image = {f"blocks.{i}.cross_attn.k_img.lora_A.weight": torch.ones(RANK, 96) for i in range(6)}
    path = write(tmp_path / "ink.safetensors", pairs, image)
    with caplog.at_level(logging.WARNING, "sdv2_live.lora"):
        live(path, 1.0)
    assert "6 keys fit no part of this model and are left out: diffusion_model.blocks.0.cross_attn.k_img.lora_A" in caplog.text


def test_a_lora_of_another_size_is_refused_by_name(tmp_path: Path) -> None:
    wide = CausalDiT(DitConfig(dim=128, heads=2, ffn=256, layers=3, text_dim=tiny.TEXT_DIM))
    path = write(tmp_path / "wide.safetensors", pairs_for(wide, ("blocks.0.self_attn.q", "blocks.0.ffn.2")))
    with pytest.raises(WeightsError) as caught:
        live(path, 1.0)
    text = str(caught.value)
    assert str(path) in text
    assert "diffusion_model.blocks.0.self_attn.q.lora_A.weight is for a weight of [128, 128], the model's is [96, 96]" in text
    assert "diffusion_model.blocks.0.ffn.2.lora_A.weight is for a weight of [128, 256], the model's is [96, 192]" in text


def test_a_lora_for_14b_is_refused_by_1_3b(tmp_path: Path) -> None:
    small, large = (on_meta(lambda size=size: CausalDiT(find_profile(size).dit)) for size in ("1.3b", "14b"))
    path = tmp_path / "large.safetensors"
    save_file(STYLES["kohya"](pairs_for(large, ("blocks.0.self_attn.q", "blocks.39.self_attn.q"), rank=1)), path)
    with pytest.raises(WeightsError, match=r"blocks_0_self_attn_q.lora_down.weight is for .* \[5120, 5120\], .* \[1536, 1536\]"):
        read_lora(path, {key: tuple(value.shape) for key, value in small.state_dict().items()})
    fitting = read_lora(path, {key: tuple(value.shape) for key, value in large.state_dict().items()})
    assert fitting.low_rank.keys() == {"blocks.0.self_attn.q.weight", "blocks.39.self_attn.q.weight"}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("blocks.0.self_attn.q.dora_scale", torch.ones(96, 1), "dora_scale is DoRA, which is not supported"),
        ("blocks.0.self_attn.q.hada_w1_a", torch.ones(96, 4), "hada_w1_a is LoHa"),
        ("blocks.0.self_attn.q.lokr_w1", torch.ones(4, 4), "lokr_w1 is LoKr"),
        ("blocks.0.self_attn.k.lora_A.weight", torch.ones(4, 96), "k.lora_A.weight is there without its B"),
        ("blocks.0.self_attn.k.diff_b", torch.ones(95), r"k.diff_b is \[95\], the model's blocks.0.self_attn.k.bias is \[96\]"),
        ("blocks.0.self_attn.k.diff_b", torch.full((96,), torch.nan), "no finite numbers"),
        ("blocks.0.self_attn.k.diff_b", torch.ones(96, dtype=torch.int8), "is torch.int8; a LoRA's tensors are"),
        ("blocks.0.self_attn.q.alpha", torch.tensor(torch.nan), "q.alpha is nan, no finite number"),
        ("blocks.0.self_attn.q.alpha", torch.tensor(-torch.inf), "q.alpha is -inf, no finite number"),
        ("blocks.0.self_attn.q.alpha", torch.ones(2), r"q.alpha \[2\] is not one number"),
        (
            "blocks.0.self_attn.q.alpha",
            torch.tensor(1e300, dtype=torch.float64),
            "lora_B.weight holds values that are no finite numbers",
        ),
        ("blocks.0.self_attn.q.lora_A.weight", torch.ones(96), r"q.lora_A.weight is \[96\], no matrix of rank 1 or more"),
        ("blocks.0.self_attn.q.lora_B.weight", torch.tensor(1.0), r"q.lora_B.weight is \[\], no matrix"),
        ("blocks.0.self_attn.q.lora_A.weight", torch.ones(0, 96), r"q.lora_A.weight is \[0, 96\], no matrix"),
        ("blocks.0.self_attn.q.lora_B.weight", torch.full((96, 4), torch.inf), "no finite numbers"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(tmp_path: Path, key: str, value: Tensor, message: str) -> None:
    path = write(tmp_path / "odd.safetensors", pairs_for(new_dit(), (SELF,)), {key: value})
    with pytest.raises(WeightsError, match=message) as caught:
        merged(path)
    assert str(path) in str(caught.value)


def test_what_becomes_infinite_in_the_models_precision_is_refused(tmp_path: Path) -> None:
    large = {SELF: (torch.full((4, 96), 1e5), torch.ones(96, 4))}
    path = write(tmp_path / "large.safetensors", large)
    for load in (lambda: live(path, 1.0, new_dit(torch.float16)), lambda: merged(path, 1.0, new_dit(torch.float16))):
        said = f"{path}: what it adds to {SELF}.weight is as large as 1e+05, beyond float16"
        with pytest.raises(WeightsError, match=re.escape(said)):
            load()
    live(path, 1.0)
    path = write(tmp_path / "less.safetensors", {SELF: (torch.full((4, 96), 1e4), torch.ones(96, 4))})
    with pytest.raises(WeightsError, match=rf"one: merged with it, {SELF}.weight is as large as .*, beyond float16"):
        merged(path, 4.0, new_dit(torch.float16))


def test_files_that_are_no_lora(tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\x10" * 40)
    other = tmp_path / "other.safetensors"
    save_file({"lora_unet_down_blocks_0_attentions_0.lora_down.weight": torch.ones(4, 4)}, other)
    pickled = tmp_path / "old.bin"
    pickled.touch()
    for path, message in (
        (tmp_path / "none.safetensors", "cannot be read as a LoRA"),
        (broken, "cannot be read as a LoRA"),
        (other, "none of its 1 keys names a part of the model"),
        (pickled, "a LoRA is a .safetensors or .pt file; convert it"),
    ):
        with pytest.raises(WeightsError, match=message) as caught:
            merged(path)
        assert str(path) in str(caught.value)


def test_no_file_no_set() -> None:
    dit = new_dit()
    loras = load_loras(dit, [])
    assert loras.apply([1.0] * 8) == ()
    assert loras.digests == ()
    assert torch.equal(painted(dit), painted(new_dit()))


def test_quantised_layers_take_live_loras_alone(tmp_path: Path) -> None:
    class Packed(Tensor):
        """As quantised weights are: a tensor of a class of its own."""

    def packed() -> CausalDiT:
        dit = new_dit()
        layer = dit.get_submodule(SELF)
        weight = dit.get_parameter(f"{SELF}.weight").data.as_subclass(Packed)
        del layer.weight
        layer.weight = weight
        return dit

    path = write(tmp_path / "one.safetensors", pairs_for(new_dit(), (SELF,)))
    torch.testing.assert_close(painted(live(path, 0.5, packed())).as_subclass(Tensor), painted(live(path, 0.5)))
    with pytest.raises(WeightsError, match=r"adds to blocks.0.self_attn.q.weight, which is quantised; set model.fp8 to false"):
        merged(path, 0.5, packed())
