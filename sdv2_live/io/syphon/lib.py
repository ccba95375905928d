"""The Syphon library, and the list of servers."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from sdv2_live.errors import VideoError

RUN_LOOP_S = 0.01  # in which macOS tells of servers that came and went


@dataclass(frozen=True, slots=True)
class Server:
    """A server on this machine. raw: as the library describes it."""

    name: str
    app: str
    raw: Any

    @property
    def full_name(self) -> str:
        """The name with its program's, as Syphon's clients show it."""
        return f"{self.app} - {self.name}" if self.app and self.name else self.name or self.app


def load(system: str = sys.platform) -> Any:
    """The syphon module. Raises VideoError where there is none."""
    if system != "darwin":
        raise VideoError("Syphon shares pictures between programs on macOS only; use ndi: in place of syphon: on this system")
    try:
        import syphon
        import syphon.utils.numpy  # noqa: F401 (which makes them attributes)
        import syphon.utils.raw  # noqa: F401
    except ImportError as error:
        raise VideoError(
            f"Syphon is not available: the package syphon-python cannot be loaded ({error}); install it with "
            "`pip install 'sdv2-live[syphon]'`, or use ndi: in place of syphon:"
        ) from error
    return syphon


def list_servers(library: Any) -> list[Server]:
    """Every server on this machine, in order of name."""
    directory = library.SyphonServerDirectory()
    directory.run_loop_interval = RUN_LOOP_S
    return sorted((Server(one.name, one.app_name, one) for one in directory.servers), key=lambda one: one.full_name)


def match_server(pattern: str, servers: list[Server], ignore: tuple[str, ...] = ()) -> Server | None:
    """The server that `pattern` means: its exact name, or else the first that contains it in any case. None if there is none.

    Args:
        ignore: names of our own servers, which only their exact names find.
    """
    exact = [one for one in servers if pattern and pattern in (one.name, one.full_name)]
    near = [one for one in servers if one.name not in ignore and pattern.casefold() in one.full_name.casefold()]
    return next(iter(exact + near), None)
