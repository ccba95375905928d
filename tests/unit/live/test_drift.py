"""How far pictures move from where they were."""

from __future__ import annotations

import numpy as np
import pytest

from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.live.drift import SETTLE, DriftWatch, measured

RANDOM = np.random.default_rng(5)


def picture(mean: float, contrast: float = 20.0, format: PixelFormat = PixelFormat.BGRX) -> Frame:
    data = RANDOM.normal(mean, contrast, (256, 384 * format.bytes_per_pixel)).clip(0, 255).astype(np.uint8)
    return Frame(data, 384, 256, format)


def after(watch: DriftWatch, mean: float, contrast: float = 20.0, chunks: int = 60) -> float:
    some = [picture(mean, contrast) for _ in range(min(chunks, 10))]
    for i in range(chunks):
        watch.see(some[i % len(some)])
    return watch.value


@pytest.mark.parametrize("format", [PixelFormat.BGRX, PixelFormat.UYVY])
def test_means_and_contrast_are_those_of_the_picture(format: PixelFormat) -> None:
    values = measured(picture(102, 25.5, format))
    assert values == pytest.approx([0.4, 0.4, 0.4, 0.1], abs=0.02)


def test_the_fourth_byte_does_not_count() -> None:
    frame = picture(100)
    data = frame.data.copy()
    data[:, 3::4] = 255
    assert np.array_equal(measured(Frame(data, 384, 256, frame.format)), measured(frame))


def test_steady_pictures_do_not_drift() -> None:
    assert after(DriftWatch(), 120, chunks=500) < 0.02


@pytest.mark.parametrize(("mean", "contrast", "drift"), [(171, 20, 0.2), (69, 20, 0.2), (120, 45.5, 0.1)])
def test_drift_is_the_largest_change_of_colour_or_contrast(mean: float, contrast: float, drift: float) -> None:
    watch = DriftWatch()
    after(watch, 120)
    assert after(watch, mean, contrast) == pytest.approx(drift, abs=0.02)


def test_the_reference_is_taken_when_the_stream_has_settled_and_anew_at_a_beginning() -> None:
    watch = DriftWatch()
    assert after(watch, 40, chunks=SETTLE // 2) == 0
    after(watch, 120, chunks=SETTLE)
    assert after(watch, 200) > 0.2
    watch.begin()
    assert watch.value == 0
    assert after(watch, 200, chunks=100) < 0.02


def test_a_flash_moves_it_little() -> None:
    watch = DriftWatch()
    after(watch, 120)
    assert after(watch, 250, chunks=1) < 0.08
    assert after(watch, 120) < 0.02
