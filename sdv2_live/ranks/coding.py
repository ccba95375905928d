"""The leader's stages beside its blocks: pictures to latents and back, as its timer has them."""

from __future__ import annotations

from collections.abc import Sequence

from sdv2_live.stats import StageTimer

ENCODES, DECODES = ("preprocess", "push", "feedback", "encode"), ("decode", "postprocess")


def coding_s(timer: StageTimer) -> float:
    """Seconds of all chunks so far."""
    return sum(each.sum for stage, each in timer.distributions().items() if stage in (*ENCODES, *DECODES))


def medians_s(timer: StageTimer) -> tuple[float, float]:
    """Seconds of a chunk, encoding and decoding: medians of the last ones; 0 where there are none."""
    times = timer.summaries()
    counts = {stage: sum(each.counts) for stage, each in timer.distributions().items()}
    chunks = max(counts.get("decode", 0), 1)

    def median(stages: Sequence[str]) -> float:
        return sum(times[one].p50 / 1e3 * counts[one] / chunks for one in stages if one in times)  # some come in several goes

    return median(ENCODES), median(DECODES)
