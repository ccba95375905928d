"""The choice of the small model's size on a CPU, and its measurement."""

from __future__ import annotations

import pytest
from support.tiny import small_engine

from sdv2_live.cost.pace import PIXELS, Work, cores_for, largest, measured, share
from sdv2_live.engine.spec import StreamSpec
from sdv2_live.model.dit.cache_spec import CacheSpec

QUICK = Work(encode=0.02, denoise=0.03, decode=0.02)


def test_the_work_is_to_fit_on_the_cores() -> None:
    one = share(QUICK, steps=1, cores=1)
    assert one == pytest.approx(0.07 / (0.9 * 4 / 30))
    assert share(QUICK, steps=1, cores=2) < one


def test_large_pictures_leave_a_core_to_other_programs() -> None:
    assert [cores_for(256 * 448, cores) for cores in (1, 2, 8)] == [1, 2, 8]
    assert [cores_for(288 * 512, cores) for cores in (1, 2, 8)] == [1, 1, 7]


def test_a_chunk_is_done_before_the_next_however_many_cores_there_are() -> None:
    assert share(QUICK, steps=1, cores=64) == pytest.approx((0.02 / 4 + 0.03 + 0.02) / (0.9 * 4 / 30))


def test_more_steps_and_a_faster_input_leave_less_time() -> None:
    plain = share(QUICK, steps=1, cores=1)
    assert share(QUICK, steps=2, cores=1) == pytest.approx(plain * 0.10 / 0.07)
    assert share(QUICK, steps=1, cores=1, rate=60) == pytest.approx(2 * plain)


@pytest.mark.parametrize("power", [1.0, 1.4, 2.0])
@pytest.mark.parametrize("speed", [0.1, 0.9, 1.0, 1.7, 3.0, 5.0, 100.0])
def test_the_largest_size_that_holds_the_rate_is_found_with_few_tries(power: float, speed: float) -> None:
    tried = []

    def needed(pixels: int) -> float:
        tried.append(pixels)
        return float((pixels / PIXELS[0]) ** power / speed)

    holding = [pixels for pixels in PIXELS if (pixels / PIXELS[0]) ** power / speed <= 1]
    assert largest(PIXELS, needed) == max(holding, default=PIXELS[0])
    assert len(tried) <= 4
    assert len(set(tried)) == len(tried)


def test_a_stream_in_its_midst_is_measured() -> None:
    engine = small_engine()
    spec = StreamSpec(32, 32, cache=CacheSpec(3, 1))
    work = measured(engine, spec)
    assert min(work.encode, work.denoise, work.decode) >= 0
    assert work != Work(0, 0, 0)
