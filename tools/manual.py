"""Writes the parts of the manual that are generated from the program's own tables; a test holds them to be current."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from sdv2_live import cli
from sdv2_live.control.osc.addresses import ROOT
from sdv2_live.control.surfaces.reference import reference_markdown
from sdv2_live.doctor import seen
from sdv2_live.live.adaptation import AdaptationState
from sdv2_live.live.input_policy import InputState
from sdv2_live.music.dmx import exports
from sdv2_live.show.metrics import Metrics, Reading
from sdv2_live.show.status import STATUS, Status
from sdv2_live.stats import Distribution, Fill
from sdv2_live.worker.host import EngineState

PROJECT = Path(__file__).resolve().parents[1]
MANUAL = PROJECT / "sdv2_live" / "manual"
SETTINGS = PROJECT / "config" / "default.yaml"
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


def configuration_markdown() -> str:
    """Every key of config/default.yaml, whose comments are what the keys mean."""
    lines: list[str] = []
    for name, default, meaning in _settings(SETTINGS.read_text(encoding="utf-8")):
        if "." not in name:
            lines += ["", f"### {name}", *(["", meaning] if meaning else []), "", "| Key | Default | Meaning |", "|---|---|---|"]
        if default:
            lines.append(f"| `{name}` | `{default}` | {meaning} |")
    return "\n".join(lines).strip()


def _settings(text: str) -> Iterator[tuple[str, str, str]]:
    """(key with its section, default, comment) in the file's order; a section has its own name alone."""
    row: list[str] = []
    section = ""
    for line in text.splitlines():
        if found := re.fullmatch(r"( *)(\w+):(?: (\S.*?))??(?: +# ?(.*))?", line):
            if row:
                yield row[0], row[1], row[2]
            indent, name, default, comment = found.groups(default="")
            section = section if indent else name
            row = [f"{section}.{name}" if indent else name, default, comment.replace("|", "\\|")]
        elif row and (found := re.fullmatch(r" +# ?(.*)", line)):
            row[2] = f"{row[2]} {found[1]}".replace("|", "\\|")
    if row:
        yield row[0], row[1], row[2]


def commands_markdown() -> str:
    """Every command with its options, as its --help has them."""
    parts = []
    for name, brief, parser in _commands(cli._parser()):
        rows = [(_called(action), (action.help or "") % _values(action, parser)) for action in parser._actions if _told(action)]
        parts += [f"### `sdv2-live {name}`", "", _sentence(parser.description or brief, name)]
        if rows:
            parts += ["", "| Argument | Meaning |", "|---|---|"]
            parts += [f"| `{called}` | {meaning} |".replace("{", "\\{") for called, meaning in rows]
        parts.append("")
    return "\n".join(parts).strip()


def _commands(
    parser: argparse.ArgumentParser, name: str = "", brief: str = ""
) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """(words, brief help, parser) of every command that does something of its own, those below a command among them."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if name and not groups:
        yield name, brief, parser
    for group in groups:
        briefs = {choice.dest: choice.help or "" for choice in group._choices_actions}
        for word, below in group.choices.items():
            yield from _commands(below, f"{name} {word}".strip(), briefs.get(word, ""))


def _sentence(text: str, command: str) -> str:
    """The description without the command's name, which the heading has."""
    text = " ".join(text.split()).removeprefix(f"`sdv2-live {command}`: ").rstrip(".")
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('?') else '.'}"


def _told(action: argparse.Action) -> bool:
    return action.help is not argparse.SUPPRESS and action.dest != "help"


def _called(action: argparse.Action) -> str:
    if not action.option_strings:
        return str(action.metavar or action.dest)
    called = ", ".join(action.option_strings)
    if action.nargs != 0:
        called += f" {action.metavar or '|'.join(map(str, action.choices or ())) or action.dest.upper()}"
    return called.replace("|", "\\|")


def _values(action: argparse.Action, parser: argparse.ArgumentParser) -> dict[str, object]:
    """What the text of a help may name."""
    return {**vars(action), "prog": parser.prog}


PARTS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "osc.md": {"reference": reference_markdown},
    "metrics.md": {"status": status_markdown, "metrics": metrics_markdown},
    "configuration.md": {"configuration": configuration_markdown},
    "commands.md": {"commands": commands_markdown},
    "tried.md": {"seen": seen.markdown},
    "light-desks.md": {"chart": exports.markdown},
}


def current(text: str, parts: Mapping[str, Callable[[], str]]) -> str:
    """The text with every part between its markers as it is now. Raises ValueError when a marker is missing."""
    for name, part in parts.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"there are no '{begin}' and '{end}' for a generated part to stand between")
        text = f"{before}{begin}\n{part()}\n{end}{after}"
    return text


def main() -> None:
    """Write what has changed."""
    for name, parts in PARTS.items():
        page = MANUAL / name
        text = page.read_text(encoding="utf-8")
        if (new := current(text, parts)) != text:
            page.write_text(new, encoding="utf-8")
            sys.stdout.write(f"{page} is written anew\n")


if __name__ == "__main__":
    main()
