"""An outlet that writes down what it shows, and does what a file in its folder says."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from sdv2_live.errors import DeviceError
from sdv2_live.frame import Frame

FAR_S = 600.0


class NotingOutlet:
    """Its target is a folder: `shown.npz` holds the newest picture, and `order` is one word: what it is to do.

    Orders: away (it cannot be opened), hang, crash, gone and close; none, and it shows pictures.
    """

    def __init__(self, target: str) -> None:
        self._folder = Path(target)
        self.name = "the folder"
        if self._order() == "away":
            raise DeviceError("there is no folder; make one")

    def _order(self) -> str:
        path = self._folder / "order"
        return path.read_text() if path.exists() else ""

    def show(self, frame: Frame) -> None:
        if self._order() == "hang":
            time.sleep(FAR_S)
        if self._order() == "gone":
            raise DeviceError("the folder is gone; make it again")
        row = frame.width * frame.format.bytes_per_pixel
        part = self._folder / "part.npz"
        color = [frame.color.matrix.name, frame.color.range.name]
        np.savez(part, rows=frame.data[:, :row], format=frame.format.name, rate=str(frame.rate), color=color)
        part.replace(self._folder / "shown.npz")

    def look(self) -> bool:
        if self._order() == "crash":
            os._exit(3)
        return self._order() != "close"


def shown(folder: Path) -> dict[str, Any]:
    """The picture that is shown, with its format, rate and colour; empty before the first."""
    try:
        with np.load(folder / "shown.npz") as file:
            return dict(file)
    except FileNotFoundError:
        return {}
