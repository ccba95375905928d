"""A ring of cards as a model, event by event: `python tools/simulate_ranks.py`.

Without a card to measure, stage times are those that `sdv2-live plan` reckons, and links by their nominal rates; --markdown
prints the manual's tables. Chunks in flight and the order of steps are this program's. --check measures real processes of
torch.distributed on this CPU instead, in rings of two and three, feeds the times of their stages and tensors to the model and
compares. Two ranks on one card, or on one core, are no measurement of two cards.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from sdv2_live.engine.spec import CHUNK_FRAMES, Schedule
from simulate_ranks import cards, check

CASES = (("1.3b", "wan"), ("1.3b", "taehv"), ("14b", "wan"), ("14b", "taehv"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was asked for; 1 where the check finds the model off by more than a tenth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="measure real processes on this CPU, and compare")
    parser.add_argument("--markdown", action="store_true", help="print the manual's tables")
    parser.add_argument("--steps", type=int, choices=range(1, 5), default=2, metavar="N", help="denoising steps (default: 2)")
    options = parser.parse_args(arguments)
    if options.check:
        return check.run()
    if options.markdown:
        print(markdown())
        return 0
    links = "; ".join(map(cards.passed, cards.NAMES))
    print(f"{reference_markdown()}\n\n{scaling_markdown(options.steps)}\n\nOf a call passes on each link: {links}.")
    return 0


def markdown() -> str:
    """The tables of the manual's page."""
    return f"{scaling_markdown()}\n\n{reference_markdown()}"


def scaling_markdown(steps: int = 2, names: Sequence[str] = cards.NAMES, cases: Sequence[tuple[str, str]] = CASES) -> str:
    """Frames a second from one card to eight, with the latency of a chunk; efficiency; where it stops scaling."""
    counts = " | ".join(f"{count}" for count in cards.COUNTS)
    lines = [
        f"| model, autoencoder, schedule | card | {counts} | efficiency at 2, 4, 8 | scales to |",
        "|---" * (4 + len(cards.COUNTS)) + "|",
    ]
    for model, vae in cases:
        for schedule in (Schedule.SEQUENTIAL, Schedule.STREAM_BATCH):
            for name in names:
                found = list(cards.rows(name, model, vae, schedule, steps=steps))
                cells = [f"{row.fps:.0f} ({row.latency * 1e3:.0f} ms)" if row else "-" for row in found]
                told = (f"`{model}`, `{vae}`, {schedule.value}", name, *cells, efficiency(found), stops(found))
                lines.append(f"| {' | '.join(told)} |")
    return "\n".join(lines)


def efficiency(found: Sequence[cards.Row | None]) -> str:
    """Frames a second of 2, 4 and 8 cards, by what as many single cards would give together."""
    by_count = {row.count: row.fps for row in found if row}
    if not by_count:
        return ""
    base = min(by_count)
    told = [f"{by_count[count] / count * base / by_count[base]:.0%}" if count in by_count else "-" for count in (2, 4, 8)]
    return ", ".join(told) + ("" if base == 1 else f" (by {base} cards)")


def stops(found: Sequence[cards.Row | None]) -> str:
    """The cell of how far it scales."""
    return str(cards.stops(found)) if any(found) else "does not fit"


def reference_markdown() -> str:
    """StreamDiffusionV2's published rates of four H100, by what is simulated for the same work."""
    lines = [
        "| model | size | steps | published | simulated | published / simulated | busiest rank |",
        "|---|---|---|---|---|---|---|",
    ]
    for case in cards.PUBLISHED:
        ring, run = cards.reference(case)
        fps, busiest = CHUNK_FRAMES / run.period, max(run.shares)
        rank = run.shares.index(busiest)
        does = "decodes" if rank == ring.decoder else "encodes" if rank == 0 else "blocks alone"
        published = f"{case.fps:g} ({case.note})" if case.note else f"{case.fps:g}"
        size = "{}x{}".format(*case.size)
        told = (f"`{case.model}`", size, str(case.steps), published, f"{fps:.1f}", f"{case.fps / fps:.2f}")
        lines.append(f"| {' | '.join(told)} | {rank}, {does}: {busiest:.0%} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
