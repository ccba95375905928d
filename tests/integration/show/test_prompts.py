"""Prompts during a show: what was live, and short ones made long."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from support.waiting import eventually

from sdv2_live.config.load import load_config
from sdv2_live.config.schema import Config
from sdv2_live.config.schema_files import ExpandConfig
from sdv2_live.control.prompt_history import MAX_BYTES, MAX_TEXTS, PromptHistory
from sdv2_live.control.store import ParamStore
from sdv2_live.errors import ExpandError, ParamError
from sdv2_live.show.control_plane import ControlPlane
from sdv2_live.show.expander import Expander
from sdv2_live.show.journal import read_journal

WRITES = """
import sys
text = sys.stdin.read()
assert sys.argv[1:] == ["prompt", "expand", "--endpoint", "http://x", "--timeout", "60.0", "-"], sys.argv
if text == "fail":
    print("sdv2-live: the prompt stays as it was: x:1 refused", file=sys.stderr)
    sys.exit(7)
if text == "slow":
    import os
    while not os.path.exists(sys.argv[0] + ".go"):
        pass
if text == "hang":
    import time
    time.sleep(3600)
print(text.upper() + " \u65e5\u672c")
"""


@pytest.fixture
def store() -> ParamStore:
    return ParamStore()


@pytest.fixture
def expander(store: ParamStore, tmp_path: Path) -> Any:
    program = tmp_path / "writes.py"
    program.write_text(WRITES, encoding="utf-8")
    expander = Expander(ExpandConfig(endpoint="http://x"), store, program=(sys.executable, str(program)))
    expander.start()
    yield expander
    expander.close()
    assert expander.failures == 0


def test_a_text_the_cue_or_the_prompt_is_expanded_into_the_cue(expander: Expander, store: ParamStore) -> None:
    act = expander.actions["prompt/expand"]
    act(("ink",)).result(timeout=60)
    assert store.latest().cue_prompt == "INK \u65e5\u672c"
    store.set("cue_prompt", "sea", "hand")
    act(()).result(timeout=60)
    assert store.latest().cue_prompt == "SEA \u65e5\u672c"
    store.set_many({"cue_prompt": "", "prompt": "-the prompt"}, "hand")
    act((True,)).result(timeout=60)
    assert store.latest().cue_prompt == "-THE PROMPT \u65e5\u672c"


def test_a_failure_is_said_and_changes_nothing(expander: Expander, store: ParamStore) -> None:
    with pytest.raises(ExpandError, match=r"^x:1 refused$"):
        expander.actions["prompt/expand"](("fail",)).result(timeout=60)
    assert (expander.problem, expander.expanding, store.latest().cue_prompt) == ("x:1 refused", False, "")
    with pytest.raises(ParamError, match="takes a text"):
        expander.actions["prompt/expand"](("a", 5))


def test_a_cue_that_was_written_meanwhile_stays(expander: Expander, store: ParamStore, tmp_path: Path) -> None:
    asked = expander.actions["prompt/expand"](("slow",))
    eventually("the process", lambda: expander.expanding)
    store.set("cue_prompt", "by hand", "hand")
    (tmp_path / "writes.py.go").touch()
    with pytest.raises(ExpandError, match="the cue was written to meanwhile"):
        asked.result(timeout=60)
    assert store.latest().cue_prompt == "by hand"


def test_a_show_ends_without_waiting_for_a_text(expander: Expander, store: ParamStore) -> None:
    asked = expander.actions["prompt/expand"](("hang",))
    eventually("the process", lambda: expander._process)
    expander.close()
    with pytest.raises(ExpandError):
        asked.result(timeout=60)
    assert store.latest().cue_prompt == ""


def test_without_a_writer_that_is_said(store: ParamStore) -> None:
    expander = Expander(ExpandConfig(), store)
    with pytest.raises(ParamError, match=r"set expand\.endpoint or expand\.model"):
        expander.actions["prompt/expand"](("ink",))


def test_the_history_has_a_text_once_the_newest_first_and_is_bounded() -> None:
    clock = iter(range(10_000))
    told: list[int] = []
    history = PromptHistory(changed=lambda: told.append(1), now=lambda: next(clock))
    for texts in (["a"], ["a"], ["a", "b"], ["b"], ["a"], [""]):
        history.live(texts)
    assert history.newest_first() == [(2, "a"), (1, "b")]
    assert len(told) == 5
    for number in range(MAX_TEXTS + 50):
        history.live([f"prompt {number}"])
    assert len(history.newest_first()) == MAX_TEXTS
    for number in range(60):
        history.live([f"{number} " + "\u65e5" * 3990])
    kept = history.newest_first()
    assert kept[0][1].startswith("59 ")
    assert sum(len(json.dumps(text)) for _, text in kept) <= MAX_BYTES
    assert PromptHistory(kept).newest_first() == kept


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load_config(None, [f"state.dir={tmp_path / 'state'}", "osc.port=0", f"timeline.dir={tmp_path}"])


def test_the_history_outlives_the_show(config: Config) -> None:
    with ControlPlane(config, encoding=lambda: ("not yet",)) as desk:
        desk.prompts.live(["first"])
        desk.prompts.live(["second"])
        journal = desk.journal.path
        listed = json.loads(desk.lists.all()["prompts"])
        assert [row["text"] for row in listed["history"]] == ["second", "first"]
        assert (listed["encoding"], listed["expansion"]) == (["not yet"], False)
    state = read_journal(journal, config.names)
    with ControlPlane(config, resumed=state) as again:
        assert [text for _, text in again.prompts.newest_first()] == ["second", "first"]
