"""Files that are written whole or not at all: whoever reads one meanwhile, or after a crash, sees what was there before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sdv2_live.system.files import check, replace


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to, and put it in the place of `path` at the end. An exception leaves nothing behind.

    Raises:
        OSError: the system has no file of this path, or `path` cannot be replaced.
    """
    check(path)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield part
        replace(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
