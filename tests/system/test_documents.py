"""README, manual and the notes beside the examples, held to the program: commands, options, keys, addresses and links."""

from __future__ import annotations

import argparse
import inspect
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import manual as generated
import pytest
import yaml
from support.places import MANUAL
from support.places import ROOT as TOP

from sdv2_live import cli, errors, manual
from sdv2_live.config.load import load_config
from sdv2_live.config.profiles import read_profile
from sdv2_live.config.schema import Config
from sdv2_live.control.names import ParamNames
from sdv2_live.control.osc.addresses import ACTIONS, ROOT, resolve
from sdv2_live.control.presets.file import load_preset
from sdv2_live.control.timeline.files import load_timeline
from sdv2_live.errors import ParamError
from sdv2_live.show import metrics
from sdv2_live.show.status import STATUS
from sdv2_live.wording import nearest

README = TOP / "README.md"
BOOK = sorted(MANUAL.glob("*.md"))
PAGES = [README, *BOOK, *sorted((TOP / "examples").rglob("README.md"))]
CONTRIBUTING = TOP / ".github" / "CONTRIBUTING.md"
TOOLS = [path.read_text(encoding="utf-8") for path in (TOP / "tools").rglob("*.*") if path.suffix in (".py", ".sh")]
OTHERS_OPTIONS = {
    *("--send", "--osc-port", "--network", "--init", "--shm-size", "--health-cmd"),  # of Open Stage Control and Docker
    *("--nnodes", "--nproc-per-node", "--node-rank", "--rdzv-endpoint"),  # of torchrun
    *("--rank", "--weights-dir"),  # of sdv2_live.worker.rank
}
SENT = {  # of its own accord
    *(
        "error",
        "warning",
        "applied/<param>",
        "pending/<param>",
        "status/<name>",
        "info/<name>",
        "tempo/beat",
        "meters",
        "tempo/lead",
        "mod/value/<param>",
    ),
}
NAMES = ParamNames(["ink", "gold"])  # LoRAs that the manual speaks of

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def fences(page: Path, *languages: str) -> list[str]:
    """The blocks of code in these languages."""
    found = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", text_of(page), re.M | re.S)
    return [body for language, body in found if language in languages]


def spans(page: Path) -> list[str]:
    """What stands between backquotes in the prose, a line break being a space."""
    prose = re.sub(r"^ *```.*?^ *```$", "", text_of(page), flags=re.M | re.S)
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]


def command_lines(page: Path) -> Iterator[list[str]]:
    """Every call of sdv2-live, as words: in blocks (lines ending in a backslash joined) and in the prose."""
    blocks = (
        "\n".join(fences(page, "sh", "", "powershell")) + "\n" + "\n".join(re.findall(r"^ {4,7}(\S.*)$", text_of(page), re.M))
    )
    lines = re.sub(r"\\\n\s*", "", blocks).splitlines() + spans(page)
    for line in lines:
        called = re.match(r"(?:\S*/)?sdv2-live(?: |$)(.*)", line.strip())
        if called:
            words = [word for word in shlex.split(called[1], comments=True) if word != "..."]
            if words != ["clip"]:  # the demo's NDI source
                yield words


@cache
def parsers() -> dict[str, argparse.ArgumentParser]:
    """Every command's parser, by its words, such as 'prompt expand'."""
    found: dict[str, argparse.ArgumentParser] = {}

    def add(name: str, parser: argparse.ArgumentParser) -> None:
        found[name] = parser
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for word, below in action.choices.items():
                    add(f"{name} {word}".strip(), below)

    add("", cli._parser())
    return found


def options() -> set[str]:
    return {option for parser in parsers().values() for action in parser._actions for option in action.option_strings}


def parsed(words: list[str]) -> argparse.Namespace | None:
    """What the program makes of a call that is written in full; None for a command that is named alone, to speak of it."""
    if not words or " ".join(words) in parsers():
        return None
    try:
        return cli._parser().parse_args(words)
    except SystemExit:
        raise AssertionError(f"sdv2-live {' '.join(words)}: the program refuses this") from None


@every_page
def test_every_call_of_the_program_is_understood(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in command_lines(page):
        given = parsed(words)
        if given is not None and getattr(given, "set", None):
            load_config(None, given.set)


def test_the_calls_are_found_at_all() -> None:
    calls = [words for page in PAGES for words in command_lines(page)]
    assert len(calls) > 60
    assert ["weights", "download", "1.3b"] in calls
    assert {words[0] for words in calls if words} >= set(cli.COMMANDS), "a command that no page speaks of"


@every_page
def test_every_option_exists(page: Path) -> None:
    in_tools = {option for text in TOOLS for option in re.findall(r'"(--[a-z][\w-]*)"', text)}
    ours = [span for span in spans(page) if re.match(r"--|sdv2-live|run |tools/", span)]
    named = {option for span in ours for option in re.findall(r"(?:^|[ (])(--[a-z][\w-]*)", span)}
    assert named - in_tools - options() - OTHERS_OPTIONS == set()


def test_every_option_of_the_tools_exists() -> None:
    text = "\n".join(text_of(page) for page in (*PAGES, CONTRIBUTING))
    calls = re.findall(r"python tools/(\w+\.py)([^#`\n]*)", text)
    assert len(calls) > 5
    for tool, rest in calls:
        for option in re.findall(r"--[a-z][\w-]*", rest):
            known = any(f'"{option}"' in text for text in TOOLS) or option in options()
            assert known, f"{tool} {option}"


def test_every_tool_that_a_page_names_is_there() -> None:
    others = (".github/CONTRIBUTING.md", "sdv2_live/README.md", "sdv2_live/assets/MODEL_CARD.md", "tools/benchmarks.md")
    text = "\n".join(text_of(page) for page in (*PAGES, *(TOP / name for name in others)))
    files = {TOP / name.replace("\\", "/") for name in re.findall(r"(?<![\w/])tools[/\\][\w/\\]+\.(?:py|sh|cmd|md)", text)}
    modules = {TOP / name.replace(".", "/") for name in re.findall(r"python -m (tools(?:\.\w+)+)", text)}
    assert len(files) > 10
    assert len(modules) > 4
    assert [file for file in files if not file.is_file()] == []
    assert [one for one in modules if not (one.with_suffix(".py").is_file() or (one / "__main__.py").is_file())] == []


@every_page
def test_every_set_is_a_key_with_a_value_it_can_have(page: Path) -> None:
    for pair in re.findall(r"--set ([a-z_.\d]+=[^\s`]+)", text_of(page)):
        if not re.search(r"[A-Z]{4,}|\.\.\.", pair):  # IP, FOLDER: for the reader to fill in
            load_config(None, [pair])


def test_every_key_of_the_configuration_that_is_named_exists() -> None:
    sections = {name: field.annotation for name, field in Config.model_fields.items() if name != "params"}
    keys = {f"{name}.{key}" for name, kind in sections.items() for key in kind.model_fields}
    named: set[str] = set()
    for page in PAGES:
        for span in spans(page):
            found = re.fullmatch(r"([a-z]+\.[a-z_]+)(?:: (.+)|=(\S+))?", span)
            if found is None or found[1].partition(".")[0] not in sections or found[1].endswith((".py", ".cu", ".yaml", ".json")):
                continue
            named.add(found[1])
            assert found[1] in keys, f"{page}: {span}{nearest(found[1], keys)}"
            if value := found[2] or found[3]:
                load_config(None, [f"{found[1]}={value}"])
    assert len(named) > 40


def status_names() -> set[str]:
    """The names under which a show tells how it is."""
    return {row.osc for row in STATUS if row.osc}


def check_address(address: str) -> None:
    """Raises AssertionError for an address that means nothing to the program."""
    name = address.removeprefix(ROOT)
    if name in SENT or name in ACTIONS or name == "<param>/norm" or name == "<param>/midi":
        return
    status = re.fullmatch(r"(?:status|info)/(\w+)", name)
    if status:
        assert status[1] in status_names(), f"{address}: a show tells nothing of this name"
        return
    name = re.sub(r"\b\d\.\.(\d)\b", r"\1", name).replace("<name>", "ink")
    try:
        resolve(ROOT + name, (0.0,), names=NAMES)
    except ParamError as error:
        raise AssertionError(f"{address}: {error}") from None


@every_page
def test_every_address_is_known(page: Path) -> None:
    for found in re.findall(r"(?<![\w:./])/?sdv2/[\w/<>.]*[\w>]", text_of(page)):
        check_address("/" + found.lstrip("/"))


def test_an_address_that_is_not_known_is_noticed() -> None:
    for address in ("/sdv2/noise", "/sdv2/prompt/9/text", "/sdv2/status/frames", "/sdv2/timeline/rewind"):
        with pytest.raises(AssertionError):
            check_address(address)


@pytest.mark.parametrize("page", generated.PARTS)
def test_the_generated_parts_are_current(page: str) -> None:
    text = text_of(MANUAL / page)
    assert generated.current(text, generated.PARTS[page]) == text, "write them anew: python tools/manual.py"


def test_every_key_of_the_configuration_is_in_its_reference() -> None:
    text = text_of(MANUAL / "configuration.md")
    for name, field in Config.model_fields.items():
        keys = getattr(field.annotation, "model_fields", {}) if name != "params" else {}
        assert f"### {name}" in text
        for key in keys:
            assert re.search(rf"^\| `{name}\.{key}` \| `.+` \| .{{5}}", text, re.M), f"{name}.{key}"


def test_what_is_generated_replaces_what_stood_between_its_markers() -> None:
    parts = {"one": lambda: "| new |", "two": lambda: "new, too"}
    stale = "a\n" + "".join(f"<!-- {name}: begin -->\nstale\n<!-- {name}: end -->\nb\n" for name in parts)
    text = generated.current(stale, parts)
    assert text == "a\n<!-- one: begin -->\n| new |\n<!-- one: end -->\nb\n<!-- two: begin -->\nnew, too\n<!-- two: end -->\nb\n"
    assert generated.current(text, parts) == text
    with pytest.raises(ValueError, match="there are no '<!-- two: begin -->' and"):
        generated.current(text.replace("two: end", "the end"), parts)


def test_the_examples_of_files_can_be_used(tmp_path: Path) -> None:
    kinds = set()
    blocks = [block for page in (README, *BOOK) for block in fences(page, "yaml")]
    for number, block in enumerate(blocks):
        path = tmp_path / f"{number}.yaml"
        path.write_text(block.replace("~/loras", str(tmp_path)), encoding="utf-8")
        held: dict[str, Any] = yaml.safe_load(block)
        if "events" in held:
            assert load_timeline(path).events
            kinds.add("timeline")
        elif "name" in held:
            assert load_preset(path).values
            kinds.add("preset")
        elif "licence" in held:
            assert read_profile(path).files
            kinds.add("profile")
        else:
            assert held.keys() <= Config.model_fields.keys()
            load_config(path)
            kinds.add("configuration")
    assert kinds == {"timeline", "preset", "profile", "configuration"}


def anchors(page: Path) -> set[str]:
    prose = re.sub(r"^ *```.*?^ *```$", "", text_of(page), flags=re.M | re.S)
    return {manual.anchor(heading) for heading in re.findall(r"^#+ (.+)$", prose, re.M)}


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if target.startswith("https://"):
            continue
        path, _, place = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page}: {target}"
        assert file.is_relative_to(TOP)
        if place:
            assert place in anchors(file), f"{page}: {target}"


@every_page
def test_files_that_are_named_exist(page: Path) -> None:
    for span in [*spans(page), *" ".join(fences(page, "sh")).split()]:
        if re.fullmatch(r"(?:config|examples|sdv2_live|tests|tools|\.ci)/[\w./-]+", span):
            assert (TOP / span).exists(), f"{page}: {span}"


def test_the_readme_is_read_in_minutes_and_every_page_of_the_manual_is_in_its_contents() -> None:
    assert len(text_of(README).splitlines()) <= 200
    assert {page.stem for page in BOOK} - {"README"} == {*manual.pages()} - {manual.CONTENTS}


@pytest.mark.parametrize("page", BOOK, ids=lambda page: page.stem)
def test_a_page_has_one_title_and_is_short(page: Path) -> None:
    written = re.sub(r"<!-- (\w+): begin -->.*?<!-- \1: end -->|```.*?```", "", text_of(page), flags=re.S)
    assert len(re.findall(r"^# ", written, re.M)) == 1
    assert len(written.splitlines()) <= 100


def test_every_example_is_in_the_index() -> None:
    listed = set(re.findall(r"\]\(([\w-]+)[/)]", text_of(TOP / "examples" / "README.md")))
    assert listed == {folder.name for folder in (TOP / "examples").iterdir() if folder.is_dir() and any(folder.iterdir())}


def test_metrics_and_exit_codes_are_those_of_the_program() -> None:
    known = metrics.MEASURED.keys() | {row.metric for row in STATUS}
    named = {name.removesuffix("_total") for page in BOOK for name in re.findall(r"`sdv2_(?!live)(\w+)`", text_of(page))}
    assert len(named) > 50
    assert named - known == set()
    codes = {kind.exit_code for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, errors.Sdv2Error)}
    told = re.search(r"exit\s+codes\s+are\s+(.*?)\.\n", text_of(MANUAL / "commands.md"), re.S)
    assert told is not None
    assert {int(code) for code in re.findall(r"\b\d\b", told[1])} == codes - {1}
