"""What the injected faults came to, as a table and as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.injection import LONG, Injection


@dataclass
class Report:
    """The injections of every kind, in the order of their first."""

    kinds: dict[str, list[Injection]] = field(default_factory=dict)

    def add(self, kind: str, injection: Injection) -> None:
        self.kinds.setdefault(kind, []).append(injection)

    def rows(self) -> list[dict[str, Any]]:
        """A kind each. Gaps in frame times of the output; counted: those longer than LONG that the control hop does not share."""
        return [_row(kind, injections) for kind, injections in self.kinds.items()]

    def lines(self) -> list[str]:
        """A table in Markdown."""
        rows = self.rows()
        if not rows:
            return []
        names = [name for name in rows[0] if name != "kind"]
        head = ["| kind | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
        return head + ["| " + " | ".join([row["kind"], *(str(row[name]) for name in names)]) + " |" for row in rows]

    def write(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            json.dumps({"long_frame_times": LONG, "kinds": self.rows()}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def _row(kind: str, injections: list[Injection]) -> dict[str, Any]:
    gaps = sorted(gap.frames for one in injections for gap in one.gaps)
    counted = [gap.frames for one in injections for gap in one.counted]
    recovery = sorted(one.recovery_s for one in injections)
    return {
        "kind": kind,
        "times": len(injections),
        "frames": sum(one.frames for one in injections),
        "gap p99": round(_quantile(gaps, 0.99), 2),
        "longest": round(_quantile(gaps, 1.0), 2),
        "longest as sent": round(max((gap.sent_frames for one in injections for gap in one.gaps), default=0.0), 2),
        "counted": len(counted),
        "longest counted": round(max(counted, default=0.0), 2),
        "black": sum(one.black for one in injections),
        "lost parameters": sum(len(one.lost) for one in injections),
        "recovery s, median": round(_quantile(recovery, 0.5), 2),
        "longest recovery": round(_quantile(recovery, 1.0), 2),
    }


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(math.ceil(share * len(ordered)), len(ordered)) - 1] if ordered else 0.0
