"""Syphon output: shares the picture with the programs of this Mac, from a process of its own. Untried here."""

from __future__ import annotations

from typing import Any

from sdv2_live.frame import Frame
from sdv2_live.io.outlets.sink import OutletSink
from sdv2_live.io.outlets.virtual_camera import Layout
from sdv2_live.io.syphon.lib import load


class SyphonServer:
    """Shares pictures under a name."""

    def __init__(self, name: str, library: Any = None) -> None:
        self.name = name
        self._library = library or load()
        self._server = self._library.SyphonMetalServer(name)
        self._texture: Any = None
        self._size: tuple[int, int] | None = None

    def show(self, frame: Frame) -> None:
        """Share a picture, as RGBA."""
        picture = Layout("rgba", frame.size)(frame)
        if self._size != frame.size:
            create = self._library.utils.raw.create_mtl_texture
            self._texture, self._size = create(self._server.device, frame.width, frame.height), frame.size
        self._library.utils.numpy.copy_image_to_mtl_texture(picture.to_ndarray(), self._texture)
        self._server.publish_frame_texture(self._texture)

    def look(self) -> bool:
        """Nobody closes it by hand."""
        return True


def syphon_sink(name: str) -> OutletSink:
    """The Syphon output of a name. Raises VideoError where there is no Syphon."""
    load()
    return OutletSink(f"syphon:{name}", SyphonServer, name)
