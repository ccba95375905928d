"""The process that paints a take again beside a running show: it comes last, and ends with the show."""

from __future__ import annotations

import logging
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

from sdv2_live.errors import Sdv2Error
from sdv2_live.system.clock import monotonic
from sdv2_live.system.process import come_last, end_with_parent

GPU_SHARE = 0.25  # of the time, on a GPU, where a low priority means nothing: the show's engine has the rest


def main(connection: Connection, folder: Path, target: Path) -> None:
    """Paint the take in `folder` into `target`. Sends the share done, 0..1, and at the end what went wrong, empty for nothing."""
    end_with_parent()
    come_last()
    logging.disable()  # what matters is sent; the terminal is the show's
    try:
        _paint(connection, folder, target)
        problem = ""
    except Sdv2Error as error:
        problem = str(error)
    except Exception as error:  # noqa: BLE001 (the process's top: the show says it)
        problem = f"{folder}: cannot be painted again, by a mistake of the program ({type(error).__name__}: {error})"
    connection.send(problem)


def _paint(connection: Connection, folder: Path, target: Path) -> None:
    from sdv2_live.takes.replay import Take, replay  # here: it imports torch, which the show's own process does without

    take = Take(folder)
    share = GPU_SHARE if sys.modules["torch"].cuda.is_available() else 1.0
    last = monotonic()

    def progress(done: int) -> None:
        nonlocal last
        connection.send(done / max(take.chunks, 1))
        time.sleep((monotonic() - last) * (1 - share) / share)
        last = monotonic()

    replay(take, output=target, progress=progress)
