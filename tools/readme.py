"""Writes the parts of README.md that are generated from the program's own tables; a test holds them to be current."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from sdv2_live.control.osc.addresses import ROOT
from sdv2_live.control.surfaces.reference import reference_markdown
from sdv2_live.live.adaptation import AdaptationState
from sdv2_live.live.input_policy import InputState
from sdv2_live.show.metrics import Metrics, Reading
from sdv2_live.show.status import STATUS, Status
from sdv2_live.stats import Distribution, Fill
from sdv2_live.worker.host import EngineState

README = Path(__file__).resolve().parents[1] / "README.md"
NOW = Status(
    "", True, 0.0, 0.0, 0.0, 0.0, 0.0, {}, EngineState("running"), InputState(), AdaptationState(), timeline=(0.0, False)
)


def status_markdown() -> str:
    """What a show sends of its status by OSC, numbers before words."""
    told = NOW.numbers()
    rows = {row.osc: row for row in STATUS if row.osc}
    lines = ["| Address | Meaning | In the terminal's line |", "|---|---|---|"]
    for kind, words in (("status", False), ("info", True)):
        lines += [
            f"| `{ROOT}{kind}/{name}` | {rows[name].doc} | {'yes' if rows[name].line else ''} |"
            for name, value in told.items()
            if isinstance(value, str) == words
        ]
    return "\n".join(lines)


def metrics_markdown() -> str:
    """Everything on the metrics page."""
    once = {name: Distribution() for name in ("latency_seconds", "chunk_seconds")}
    reading = Reading(NOW.metrics(), once, {"encode": Distribution()}, {"osc": Fill(0, 1)}, {"version": ""})
    lines = ["| Metric | Kind | Meaning |", "|---|---|---|"]
    for family in text_string_to_metric_families(Metrics(lambda: reading).page()[0].decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        lines.append(f"| `{name}` | {family.type} | {family.documentation} |")
    return "\n".join(lines)


PARTS: Mapping[str, Callable[[], str]] = {"reference": reference_markdown, "status": status_markdown, "metrics": metrics_markdown}


def current(text: str) -> str:
    """The text with every part between its markers as it is now. Raises ValueError when a marker is missing."""
    for name, part in PARTS.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"there are no '{begin}' and '{end}' for a generated part to stand between")
        text = f"{before}{begin}\n{part()}\n{end}{after}"
    return text


def main() -> None:
    """Write what has changed."""
    text = README.read_text(encoding="utf-8")
    if (new := current(text)) != text:
        README.write_text(new, encoding="utf-8")
        sys.stdout.write(f"{README} is written anew\n")


if __name__ == "__main__":
    main()
