"""HDR files on an SDR display: levels that BT.2408 names, hues, and the table against the formulas."""

from __future__ import annotations

import logging
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from sdv2_live.io.files import hdr
from sdv2_live.io.files.source import FileSource

PQ, HLG = hdr.TRANSFERS
SIGNALS = {PQ: {26: 0.38, 203: 0.58}, HLG: {26: 0.38, 203: 0.75}}  # cd/m2: signal of grey card and of white (BT.2408, table 1)
FROM_BT709 = np.linalg.inv(hdr.TO_BT709)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_signals_stand_for_the_light_that_the_recommendations_say(transfer: int) -> None:
    for nits, signal in SIGNALS[transfer].items():
        grey = np.full(3, signal)
        light = hdr.pq_light(grey) if transfer == PQ else hdr.hlg_light(grey)
        assert light == pytest.approx(nits, rel=0.03)
    levels = np.array([0.0, 0.005, 1, 100, 1000, 10_000])
    assert hdr.pq_light(hdr.pq_signal(levels)) == pytest.approx(levels, rel=1e-4, abs=1e-6)
    assert hdr.pq_signal(np.array(100.0)) == pytest.approx(0.5081, abs=1e-4)
    assert hdr.hlg_light(np.ones(3)) == pytest.approx(1000, rel=1e-4)


def test_highlights_are_compressed_and_the_rest_stays() -> None:
    light = np.array([0.0, 1, 26, 80, 203, 600, 1000, 4000])
    shown = hdr.compressed(light)
    assert shown[:4] == pytest.approx(light[:4], rel=1e-6, abs=1e-6)
    assert (np.diff(shown[:7]) > 0).all()
    assert shown[6:] == pytest.approx(hdr.WHITE, rel=1e-6)
    assert 130 < shown[4] < 203


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_a_grey_card_is_middle_grey_and_black_is_black(transfer: int) -> None:
    grey = hdr.to_bt709(np.full((1, 3), SIGNALS[transfer][26]), transfer)[0] * 255
    assert grey == pytest.approx([107] * 3, abs=3)  # in SDR: 18 % of light, some 41 % of signal
    assert hdr.to_bt709(np.zeros((1, 3)), transfer).max() < 1e-3
    assert hdr.to_bt709(np.ones((1, 3)), transfer).min() > 0.99


@pytest.mark.parametrize("colour", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0.5, 0.1)])
def test_a_colour_of_bt709_keeps_its_hue(colour: tuple[float, float, float]) -> None:
    light = 60 * np.array(colour)
    signal = hdr.pq_signal(np.maximum(FROM_BT709 @ light, 0))
    shown = hdr.to_bt709(signal[None], PQ)[0]
    assert shown**hdr.GAMMA * hdr.WHITE == pytest.approx(light, abs=0.6)


def write_hdr(path: Path, signals: np.ndarray, transfer: int) -> None:
    """A strip of BT.2020 colours (n, 3), each 16 pixels square, as 10 bits in HEVC's usual layout, without loss."""
    kr, _, kb = hdr.LUMA_2020
    luma = signals @ hdr.LUMA_2020
    blue, red = (signals[:, 2] - luma) / (2 - 2 * kb), (signals[:, 0] - luma) / (2 - 2 * kr)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16 * len(signals), 16, "yuv420p10le"
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 9, 9, transfer, 1
        frame = av.VideoFrame(stream.width, 16, "yuv420p10le")
        for plane, values, side in zip(
            frame.planes, (64 + 876 * luma, 512 + 896 * blue, 512 + 896 * red), (16, 8, 8), strict=True
        ):
            rows = np.frombuffer(memoryview(plane), np.uint16).reshape(plane.height, plane.line_size // 2)
            rows[:, : plane.width] = np.rint(np.repeat(values, side)).astype(np.uint16)
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range = 9, 9, transfer, 1
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_a_file_is_shown_tone_mapped_and_said_to_be(tmp_path: Path, transfer: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    greys = np.repeat(np.linspace(0, 1, 16)[:, None], 3, axis=1)
    colours = np.random.default_rng(0).uniform(0.2, 0.6, (24, 3))
    signals = np.concatenate([greys, colours])
    write_hdr(tmp_path / "a.mkv", signals, transfer)
    with FileSource(tmp_path / "a.mkv", realtime=False, loop=False) as source:
        frame = source.read(0)
    assert frame is not None
    shown = frame.data.reshape(16, -1, 4)[8, 8::16, :3].astype(int)
    wanted = hdr.to_bt709(signals, transfer) * 255
    assert np.abs(shown - wanted)[: len(greys)].max() <= 2
    inside = wanted.min(axis=1) > 20  # at the edge of BT.709 the table's straight lines cut a corner
    assert inside.sum() > 20
    assert np.abs(shown - wanted)[inside].max() <= 4
    assert f"is HDR ({hdr.TRANSFERS[transfer]})" in caplog.text
