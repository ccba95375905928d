"""The architecture note is true: the rooms, files and threads that it names are those of the code."""

from __future__ import annotations

import re

import pytest
from support.places import PACKAGE, ROOT

NOTE = (PACKAGE / "README.md").read_text(encoding="utf-8")
CODE = {file: file.read_text(encoding="utf-8") for file in PACKAGE.rglob("*.py")}


def test_every_file_that_it_names_is_there() -> None:
    named = set(re.findall(r"`([a-z_0-9/]+\.py)`", NOTE))
    everywhere = {file.relative_to(PACKAGE).as_posix() for file in CODE}
    names = {file.rsplit("/", 1)[-1] for file in everywhere}  # within one room it leaves the folder out
    assert {name for name in named if name not in everywhere and name not in names} == set()


def test_every_room_is_in_its_table() -> None:
    rooms = {folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").is_file()}
    table = NOTE[NOTE.index("## Rooms") : NOTE.index("## Four journeys")]
    assert rooms - set(re.findall(r"`([a-z_]+)`", table)) == set()


def test_every_thread_is_in_its_table() -> None:
    threads = NOTE[NOTE.index("## Threads") : NOTE.index("## Words")]
    named = {name for text in CODE.values() for name in re.findall(r"Thread\([^\n]*name=f?\"([^\"{]+)", text)}
    assert named, "no thread was found"
    brief = {"stop"}  # lives for the program's last second
    assert {name for name in named if f"`{name.strip()}" not in threads} - brief == set()


@pytest.mark.parametrize("page", ["sdv2_live/README.md", ".github/CONTRIBUTING.md"])
def test_its_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert target.startswith("https://") or ((ROOT / page).parent / target).exists(), target
