"""A file is what it was, or what it was to become."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdv2_live.system.atomic import written_whole


def test_a_file_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    path.write_text("before")
    with written_whole(path) as part:
        part.write_text("half")
        assert path.read_text() == "before"
        part.write_text("after")
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_leaves_the_file_as_it_was_and_nothing_beside_it(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "notes.json"
    path.write_text("before")

    def write() -> None:
        with written_whole(path) as part:
            part.write_text("half")
            raise error

    with pytest.raises(type(error)):
        write()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
