"""Lists of the page that follow several parts of a show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sdv2_live.control.page.lists import Lists
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.presets.listing import listing, state_of
from sdv2_live.control.presets.pictures import Pictures
from sdv2_live.control.prompt_history import PromptHistory
from sdv2_live.control.store import Change, ParamStore
from sdv2_live.show.expander import Expander


def list_presets(lists: Lists, store: ParamStore, library: PresetLibrary, pictures: Pictures) -> Callable[[], None]:
    """Add the list `presets`, which is told again when another one becomes live, or the live one is edited.

    Returns:
        A function to call when the presets or their pictures have changed; it never waits.
    """
    changed = lists.add("presets", lambda: listing(library, pictures, store.settled()))
    told = state_of(library, store.settled())

    def follow(change: Change) -> None:
        nonlocal told
        if change.origin != "morph" and (state := state_of(library, store.settled())) != told:
            told = state
            changed()

    store.add_listener(follow)
    return changed


def list_prompts(lists: Lists, history: PromptHistory, expander: Expander, encoding: Callable[[], tuple[str, ...]]) -> None:
    """Add the list `prompts`: the history, what is not encoded yet, and how the expansion is."""

    def make() -> dict[str, Any]:
        return {
            "history": [{"at": at, "text": text} for at, text in history.newest_first()],
            "encoding": list(encoding()),
            "expansion": expander.configured,
            "expanding": expander.expanding,
            "problem": expander.problem,
        }

    lists.add("prompts", make)
