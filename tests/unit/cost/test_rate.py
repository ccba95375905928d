"""The reckoned time of a chunk, against numbers computed by hand, counted work, and what other programs have published."""

from __future__ import annotations

import pytest
from bench import traffic

from sdv2_live.config.profiles import PROFILES
from sdv2_live.cost.cards import CARDS, Card, known
from sdv2_live.cost.rate import VAE_WORK, call_seconds, chunk_rate, fill, filling_size, vae_seconds
from sdv2_live.model.sizes import DitConfig

DIT = PROFILES["1.3b"].dit
BIG = (480, 832)


def card(name: str) -> Card:
    found = known(name)
    assert found is not None
    return found


def test_a_card_of_round_numbers() -> None:
    """100 multiprocessors of 1 TFLOP/s each, memory without end; a model of one layer of 128 numbers, 1 head; 16 by 8 tokens."""
    endless = Card("round", (8, 0), 100, 100.0, 1e9, 1)
    dit = DitConfig(dim=128, heads=1, ffn=128, layers=1)
    # Products of 128 rows: each of its tiles of 64 x 128 is one round of 2 * 64 * 128 * 128 operations at 0.9 TFLOP/s.
    products = 6 * (2 * 64 * 128 * 128) / 0.9e12
    # One tile of attention over 2 * 128 keys, and one over 512 at 0.7 of the speed, at 0.85 TFLOP/s.
    attention = 4 * 128 * (256 + 512 / 0.7) * 128 / 0.85e12
    assert call_seconds(endless, dit, (256, 128), 2) == pytest.approx(products + attention + 14 * 1.5e-6, rel=1e-3)


def test_memory_alone() -> None:
    """Matrix units without end: 1 TB/s, of which 0.91 are reached."""
    slow = Card("slow", (8, 0), 100, 1e12, 1.0, 1)
    assert vae_seconds(slow, "taehv", (100, 100)) == pytest.approx(0.5 * 2.0e4 * 1e4 / 0.91e12 + 255 * 1.5e-6)


@pytest.mark.parametrize("kind", ["wan", "light", "taehv"])
def test_an_autoencoders_work_is_what_is_counted(kind: str) -> None:
    pytest.importorskip("triton")
    parts = traffic.vae_work(PROFILES["1.3b"], kind, (256, 256)).values()
    told, pixels = VAE_WORK[kind], 256 * 256
    assert sum(part.flops for part in parts) / pixels == pytest.approx(told.operations, rel=0.05)
    assert sum(part.bytes for part in parts) / pixels == pytest.approx(told.bytes, rel=0.05)
    assert sum(part.launches for part in parts) == pytest.approx(told.launches, rel=0.05)


def test_432x832_fills_an_h100() -> None:
    h100 = card("H100")
    assert fill(h100, DIT, (432, 832)) == 1
    assert fill(h100, DIT, BIG) == pytest.approx(156 / 264)
    assert filling_size(h100, DIT, BIG) == (432, 832)
    assert filling_size(card("4090"), DIT, BIG) is None


# What public code reaches: StreamDiffusionV2 on a 4090, one step, 512x512; on an H100, three latent frames a call, four steps and
# one call to fill the cache, Self-Forcing with TAEHV, LongLive with the Wan VAE. Kernels that wait for the host are not reckoned.
@pytest.mark.parametrize(
    ("reckoned", "published"),
    [
        (lambda: chunk_rate(card("4090"), DIT, "wan", (512, 512), steps=1, kv_frames=6).fps, 16.6),
        (lambda: _in_threes("taehv", 0.55), 35.0),
        (lambda: _in_threes("wan", 0.6), 20.7),
    ],
)
def test_published_rates_are_near_what_is_reckoned(reckoned, published: float) -> None:  # type: ignore[no-untyped-def]
    assert 0.7 < published / reckoned() < 0.9


def _in_threes(vae: str, decoding: float) -> float:
    """decoding: its share of encoding and decoding."""
    h100 = card("H100")
    calls = 5 * call_seconds(h100, DIT, BIG, 12, latents=3)  # attention over twelve frames, in the middle of a clip
    return 12 / (calls + 3 * decoding * vae_seconds(h100, vae, BIG))


def test_more_work_never_takes_less_time() -> None:
    for each in CARDS:
        base = chunk_rate(each, DIT, "wan", BIG, steps=2, kv_frames=6).fps
        assert chunk_rate(each, DIT, "wan", BIG, steps=3, kv_frames=6).fps < base
        assert chunk_rate(each, DIT, "light", BIG, steps=2, kv_frames=6).fps > base
        assert chunk_rate(each, DIT, "wan", (240, 416), steps=2, kv_frames=6).fps > base
        assert chunk_rate(each, DIT, "wan", BIG, steps=2, kv_frames=5).fps >= base
        three = chunk_rate(each, DIT, "wan", BIG, steps=2, kv_frames=6, latents=3)
        assert three.frames == 12
        assert base < 1.5 * three.fps  # larger calls keep a card busier, and do the same work
        assert three.latency(30) > three.latency(60) > 11 / 60
        assert chunk_rate(each, DIT, "wan", BIG, steps=1, levels=2, kv_frames=6).fps >= base  # stream_batch
