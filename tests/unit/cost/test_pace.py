"""The choice of the small model's size on a CPU, and its measurement."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.fakes import fake_frame
from support.tiny import small_engine

from sdv2_live.cost.pace import PIXELS, Work, converting, cores_for, largest, painting, share
from sdv2_live.engine.spec import StreamSpec
from sdv2_live.gpu.postprocess import Postprocessor
from sdv2_live.gpu.preprocess import Preprocessor
from sdv2_live.model.dit.cache_spec import CacheSpec

QUICK = Work(encode=0.02, denoise=0.03, decode=0.02)
THERE = 0.9 * 4 / 30  # of a chunk's time at 30 frames a second


def shared(work: Work, *, steps: int = 1, cores: int = 2, rate: float = 30.0) -> float:
    return share(work, steps=steps, cores=cores, rate=rate)


def test_the_work_is_to_fit_on_the_cores() -> None:
    one = shared(QUICK, cores=1)
    assert one == pytest.approx(0.07 / THERE)
    assert shared(QUICK, cores=2) < one


def test_conversion_takes_of_the_same_time() -> None:
    converted = replace(QUICK, take_in=0.02, give_out=0.03)
    assert shared(converted, cores=1) == pytest.approx(0.07 / (THERE - 0.05))
    assert shared(replace(QUICK, take_in=0.07, give_out=0.1)) == pytest.approx(0.07 / (2 * THERE - 0.17))
    assert shared(replace(QUICK, take_in=0.06)) == pytest.approx(0.055 / (THERE - 0.015))  # what the last frame needs


def test_no_number_of_cores_makes_up_for_a_thread_that_cannot_give_out_in_time() -> None:
    out = replace(QUICK, give_out=THERE - 0.01)
    assert shared(out, cores=64) == pytest.approx(0.02 / 0.01)
    assert shared(replace(out, give_out=THERE), cores=64) == float("inf")


def test_large_pictures_leave_a_core_to_other_programs() -> None:
    assert [cores_for(256 * 448, cores) for cores in (1, 2, 8)] == [1, 2, 8]
    assert [cores_for(288 * 512, cores) for cores in (1, 2, 8)] == [1, 1, 7]


def test_a_chunk_is_painted_before_the_next_however_many_cores_there_are() -> None:
    assert shared(QUICK, cores=64) == pytest.approx((0.02 / 4 + 0.03 + 0.02) / THERE)


def test_more_steps_and_a_faster_input_leave_less_time() -> None:
    plain = shared(QUICK, cores=1)
    assert shared(QUICK, steps=2, cores=1) == pytest.approx(plain * 0.10 / 0.07)
    assert shared(QUICK, cores=1, rate=60) == pytest.approx(2 * plain)


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


def test_where_conversion_leaves_no_time_the_smallest_is_taken() -> None:
    assert largest(PIXELS, lambda pixels: float("inf")) == PIXELS[0]


def test_a_stream_in_its_midst_is_measured() -> None:
    engine = small_engine()
    spec = StreamSpec(32, 32, cache=CacheSpec(3, 1))
    work = painting(engine, spec)
    assert min(work.encode, work.denoise, work.decode) >= 0
    assert work != Work(0, 0, 0)


def test_conversion_is_measured_at_the_sizes_of_both_ends() -> None:
    def of(height: int, width: int) -> tuple[float, float]:
        return converting(Preprocessor((64, 64)), Postprocessor(input_size=True), fake_frame(0, height, width), 0.5)

    small, large = of(64, 64), of(1024, 1024)  # 256 times as many pixels
    assert all(few < many for few, many in zip(small, large, strict=True))
