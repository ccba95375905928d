"""The results of gpu_session.sh as a Markdown table: `python tools/bench/gpu_table.py FOLDER`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

COLUMNS = ("case", "frames/s", "chunk p50 / p95 / p99, ms", "stages, ms", "floor, ms", "of the floor", "launches", "GPU MB")


def row(name: str, result: dict[str, Any]) -> str:
    """One bench."""
    chunk, floor = result["chunk_ms"], result["floor"]
    stages = ", ".join(f"{stage} {ms:.1f}" for stage, ms in result["stages_ms"].items())
    launches = ", ".join(f"{kind} {count:g}" for kind, count in result.get("launches_a_chunk", {}).items())
    peer = result.get("peer")
    fps = f"{result['fps']}" + (f" (peer {peer['fps']}: {peer['we_are_times_as_fast']}x)" if peer else "")
    times = f"{chunk['p50']:.1f} / {chunk['p95']:.1f} / {chunk['p99']:.1f}"
    share = f"{floor['share_of_floor']:.0%}"
    cells = (name, fps, times, stages, f"{floor['floor_ms']:.1f}", share, launches, str(result.get("gpu_memory_mb", "")))
    return f"| {' | '.join(cells)} |"


def main() -> int:
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for file in sorted(Path(sys.argv[1]).glob("*.json")):
        print(row(file.stem, json.loads(file.read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
