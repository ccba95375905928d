"""The test card."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from sdv2_live.errors import VideoError
from sdv2_live.frame import PixelFormat
from sdv2_live.io.pictures import black_like
from sdv2_live.io.synthetic import BARS, BlackSource, Card, TestSource


def test_card_depends_on_the_index_alone() -> None:
    source = TestSource(48, 64, Fraction(24), realtime=False)
    frames = [source.read(0) for _ in range(5)]
    for i, frame in enumerate(frames):
        assert frame is not None
        assert (frame.index, frame.size, frame.format, frame.rate) == (i, (48, 64), PixelFormat.RGBX, 24)
        assert np.array_equal(frame.data.reshape(48, 64, 4), Card(48, 64).draw(i))
    assert len({frame.data.tobytes() for frame in frames if frame}) == 5


@pytest.mark.parametrize(("height", "width"), [(16, 16), (16, 300), (300, 16), (17, 33), (512, 512), (480, 832)])
def test_every_size_has_bars_ramp_and_motion(height: int, width: int) -> None:
    first, second = (Card(height, width).draw(i) for i in (0, 1))
    assert first.shape == (height, width, 4)
    assert {tuple(c) for c in first[0, :, :3]} == {tuple(c) for c in BARS}
    assert first[-1, 0, 0] == 0
    assert first[-1, -1, 0] == 255
    assert first[..., :3].std() > 5
    assert not np.array_equal(first, second)


def test_counter_can_be_read() -> None:
    """The digits of 123456, found again by comparing with those of 0 to 9."""
    card = Card(240, 320)
    digits = {d: card.draw(int(str(d) * 6)) for d in range(10)}
    top, scale = 240 // 6, min(240 // 40, 320 // 26)

    def cell(picture: np.ndarray, place: int) -> np.ndarray:
        return picture[top : top + 7 * scale, 4 * place * scale : (4 * place + 4) * scale]

    shown = card.draw(123456)
    read = [next(d for d in range(10) if np.array_equal(cell(shown, p), cell(digits[d], p))) for p in range(6)]
    assert read == [1, 2, 3, 4, 5, 6]


def test_realtime_frames_are_not_early_and_close_wakes() -> None:
    source = TestSource(16, 16, Fraction(1, 60))
    assert source.read(0) is not None
    assert source.read(0.01) is None
    source.close()
    source.close()
    assert source.read(600) is None
    assert source.ended


def test_impossible_cards_are_refused() -> None:
    with pytest.raises(VideoError, match=r"16\.\.8192"):
        TestSource(8, 512)
    with pytest.raises(VideoError, match="above 0"):
        TestSource(64, 64, Fraction(0))


def test_black_has_the_shape_and_the_clock_of_a_card_and_nothing_on_it() -> None:
    source = BlackSource(32, 48, Fraction(240))
    frames = [source.read(10) for _ in range(3)]
    assert [(frame.index, frame.size, frame.rate) for frame in frames if frame] == [(i, (32, 48), 240) for i in range(3)]
    assert all(np.array_equal(frame.data, black_like(frame).data) for frame in frames if frame)
