"""Syphon input: one server of this Mac, whenever it comes. Untried here."""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction
from typing import Any

import numpy as np

from sdv2_live.errors import DeviceError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.devices.source import DeviceSource
from sdv2_live.io.syphon.lib import list_servers, load, match_server
from sdv2_live.system.clock import monotonic_ns

RATE = Fraction(60)  # until it is measured: Syphon tells none


class SyphonCapture:
    """Pictures of the server that a pattern means. Raises DeviceError while there is none."""

    def __init__(self, library: Any, pattern: str, ignore: tuple[str, ...] = ()) -> None:
        self._library = library
        self._directory = library.SyphonServerDirectory()
        self._directory.run_loop_interval = 0.002
        servers = list_servers(library)
        found = match_server(pattern, servers, ignore)
        if found is None:
            there = ", ".join(f"'{one.full_name}'" for one in servers)
            raise DeviceError(f"there is no Syphon server '{pattern}'" + (f"; there are: {there}" if there else "; start one"))
        self.name = found.full_name
        self._client = library.SyphonMetalClient(found.raw)

    def read(self) -> Frame | None:
        """The next picture, if one has come; the run loop is served meanwhile. Raises DeviceError when the server is gone."""
        self._directory.update_run_loop()
        if not self._client.is_valid:
            raise DeviceError(f"the Syphon server '{self.name}' is gone; start it again")
        if not self._client.has_new_frame:
            return None
        texture = self._client.new_frame_image
        height, width = int(texture.height()), int(texture.width())
        rows = np.frombuffer(self._library.utils.raw.copy_mtl_texture_to_bytes(texture), np.uint8).reshape(height, 4 * width)
        return Frame(rows, width, height, PixelFormat.BGRX, RATE, monotonic_ns())  # Syphon's textures are BGRA

    def close(self) -> None:
        """Leave the server."""
        self._client.stop()


def open_syphon(pattern: str, *, ignore: Collection[str] = (), silent_s: float = 5.0) -> DeviceSource:
    """The server of a name, or part of one, as a source. Raises VideoError where there is no Syphon."""
    library = load()
    return DeviceSource(f"syphon:{pattern}", lambda: SyphonCapture(library, pattern, tuple(ignore)), silent_s=silent_s)
