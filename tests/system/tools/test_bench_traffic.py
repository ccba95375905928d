"""The counts of work that floors are reckoned from: known figures, and fewer bytes with the fused kernel."""

from __future__ import annotations

import json

import pytest
from bench import traffic

from sdv2_live.config.profiles import PROFILES
from sdv2_live.model.vae_choice import VAES

PROFILE = PROFILES["1.3b"]


@pytest.mark.parametrize(("size", "tflop"), [((512, 512), 3.82), ((480, 832), 6.74)])
def test_a_denoising_step(size: tuple[int, int], tflop: float) -> None:
    assert traffic.dit_work(PROFILE.dit, size).flops / 1e12 == pytest.approx(tflop, rel=5e-3)


@pytest.mark.parametrize(
    ("kind", "encode", "decode"),
    [("wan", 5.27, 8.88), ("taehv", 0.16, 0.36)],  # of the published architectures, as they are written
)
def test_the_autoencoders_at_512x512(kind: str, encode: float, decode: float) -> None:
    work = traffic.vae_work(PROFILE, kind, (512, 512), ops="torch")
    assert work["encode"].flops / 1e12 == pytest.approx(encode, rel=1e-2)
    assert decode * 0.75 < work["decode"].flops / 1e12 < decode * 0.97  # enlarging within the convolutions takes less


@pytest.mark.parametrize("kind", ["wan", "taehv"])
def test_the_kernel_moves_fewer_bytes_in_fewer_launches(kind: str) -> None:
    pytest.importorskip("triton")
    plain = traffic.vae_work(PROFILE, kind, (64, 64), ops="torch")
    fused = traffic.vae_work(PROFILE, kind, (64, 64))
    for part in ("encode", "decode"):
        assert fused[part].bytes < plain[part].bytes
        assert fused[part].launches < plain[part].launches
        assert plain[part].flops < fused[part].flops < 1.06 * plain[part].flops  # pixels get zero channels up to eight


def test_the_floor_is_the_larger_of_arithmetic_and_traffic() -> None:
    parts = [traffic.Work(2e12, 1e9, 1), traffic.Work(1e9, 4e9, 1)]
    assert traffic.floor_ms(parts, tflops=1000, bandwidth=4) == pytest.approx(2 + 1)


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("triton")
    assert traffic.main(["--size", "64x64", "--json"]) == 0
    counted = json.loads(capsys.readouterr().out)["64x64"]
    assert set(counted) == {"dit, a step"} | {f"{k} {p}" for k in VAES for p in ("encode", "decode")}
