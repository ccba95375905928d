"""What the process that paints a take again may do; a child process imports it by name."""

from __future__ import annotations

import os
import time
from multiprocessing.connection import Connection
from pathlib import Path


def paints(connection: Connection, folder: Path, target: Path) -> None:
    """Say half, and write the video."""
    connection.send(0.5)
    target.write_text(f"video of {folder.name}", encoding="utf-8")
    connection.send("")


def hangs(connection: Connection, folder: Path, target: Path) -> None:
    connection.send(0.25)
    Path(f"{target}.part").write_text("half a video", encoding="utf-8")
    time.sleep(3600)


def dies(connection: Connection, folder: Path, target: Path) -> None:
    os._exit(7)


def refuses(connection: Connection, folder: Path, target: Path) -> None:
    connection.send("the disk is full")
