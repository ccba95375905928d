from __future__ import annotations

import pytest

from sdv2_live.io.outlets.window import fitted


@pytest.mark.parametrize(
    ("picture", "room", "place"),
    [
        ((480, 832), (480, 832), (0, 0, 832, 480)),
        ((512, 512), (1080, 1920), (420, 0, 1080, 1080)),
        ((100, 400), (480, 640), (0, 160, 640, 160)),
        ((1080, 1920), (540, 960), (0, 0, 960, 540)),
    ],
)
def test_a_picture_is_as_large_as_the_room_allows(
    picture: tuple[int, int], room: tuple[int, int], place: tuple[int, int, int, int]
) -> None:
    assert fitted(picture, room) == place
