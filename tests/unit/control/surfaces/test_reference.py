"""The generated reference names everything there is."""

from __future__ import annotations

from sdv2_live.control.osc.addresses import ACTIONS
from sdv2_live.control.osc.foreign import SCOPE_NAMES
from sdv2_live.control.params import PARAMS
from sdv2_live.control.surfaces.reference import reference_markdown, rows


def test_every_parameter_action_and_scope_name_is_in_it() -> None:
    text = reference_markdown()
    for name, spec in PARAMS.items():
        assert f"`/sdv2/{name}`" in text or (spec.index is not None and spec.doc in text), name
    for name in ACTIONS:
        assert f"`/sdv2/{name}`" in text
    for name in SCOPE_NAMES:
        assert f"`/scope/{name}`" in text
    assert "`/sdv2/prompt/2..8/text`" in text
    assert "`/sdv2/prompt/1..8/weight`" in text


def test_table_cells_are_whole() -> None:
    assert all(len(row) == 5 and "\n" not in "".join(row) for row in rows())
