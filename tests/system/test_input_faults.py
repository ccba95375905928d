"""The input fails on stage: what an independent receiver sees of it, and what is told about it. Real NDI, a daemon of its own."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.daemon import Daemon, running
from support.ndi_client import unique_name
from support.pictures import assert_like, with_fourth
from support.shows import PICTURE, raw, sending, watching
from support.waiting import DEADLINE_S, eventually

AGAIN = {"ndi.receiver_timeout_s": "1"}  # a camera that comes back is not waited for long


def settings(options: dict[str, str]) -> list[str]:
    """As options of the command line."""
    return [part for key, value in options.items() for part in ("--set", f"{key}={value}")]


def told(daemon: Daemon, name: str) -> Any:
    """A value of the running show, as OSCQuery answers it."""
    with urllib.request.urlopen(f"{daemon.http()}/sdv2/{name}?VALUE", timeout=DEADLINE_S) as answer:
        return json.load(answer)["VALUE"][0]


def says(daemon: Daemon, name: str, value: Any, pump: Callable[[], object] = lambda: None) -> None:
    """Wait until the show tells this value, calling `pump` to have frames sent meanwhile."""
    eventually(f"{name} {value}", lambda: (pump(), told(daemon, name) == value)[1])


def test_a_lost_camera_gives_way_to_the_backup_and_comes_back() -> None:
    main, spare = unique_name("main"), unique_name("spare")
    white = np.full((48, 64, 3), 235, np.uint8)  # of another size than the main input's
    options = {"input.on_lost": "backup", "input.backup": f"ndi:{spare}", "input.return_s": "0.5", "input.fade_s": "0.2"} | AGAIN
    with running("--input", f"ndi:{main}", *settings(options)) as daemon, sending(spare, white) as second:

        def is_white(pixels: np.ndarray) -> bool:
            return raw(pixels) and pixels[..., :3].min() > 200

        def is_picture(pixels: np.ndarray) -> bool:
            return raw(pixels) and pixels[..., :3].std() > 40

        daemon.osc("/sdv2/bypass", "1")
        with sending(main, PICTURE) as first, watching(daemon) as receiver:

            def both() -> None:
                first.send(with_fourth(PICTURE, "BGR"))
                second.send(with_fourth(white, "BGR"))

            assert_like(receiver.picture(is_picture, both)[..., :3], PICTURE)
            says(daemon, "info/input", "main", both)
            daemon.osc("/sdv2/input_select", "backup")
            receiver.picture(is_white, both)
            daemon.osc("/sdv2/input_select", "auto")
            receiver.picture(is_picture, both)
        with watching(daemon) as receiver:
            alone = lambda: second.send(with_fourth(white, "BGR"))  # noqa: E731
            receiver.picture(is_white, alone)
            says(daemon, "info/input", "backup: the input is lost", alone)
            says(daemon, "status/input_shown", 1, alone)
            with sending(main, PICTURE) as first:

                def both_again() -> None:
                    first.send(with_fourth(PICTURE, "BGR"))
                    second.send(with_fourth(white, "BGR"))

                receiver.picture(is_picture, both_again)
        assert any("the input is lost" in line for line in daemon.log)


def test_a_slate_takes_the_place_of_a_painting_without_input_and_goes_again() -> None:
    main = unique_name("main")
    with running("--input", f"ndi:{main}", *settings({"input.on_lost": "slate", "input.return_s": "0.2"} | AGAIN)) as daemon:

        def is_slate(pixels: np.ndarray) -> bool:
            return pixels.shape == (64, 64, 4) and float(np.median(pixels[..., :3])) < 40 and pixels[..., :3].std() > 0.5

        with sending(main, PICTURE) as first, watching(daemon) as receiver:
            painted = receiver.picture(lambda p: p.shape == (64, 64, 4), lambda: first.send(with_fourth(PICTURE, "BGR")))
            assert not is_slate(painted)
        with watching(daemon) as receiver:
            receiver.picture(is_slate, lambda: None)
            says(daemon, "status/input_shown", 3)
            with sending(main, PICTURE) as first:
                receiver.picture(lambda p: not is_slate(p), lambda: first.send(with_fourth(PICTURE, "BGR")))


@pytest.mark.slow
def test_text_goes_on_painting_where_the_input_is_lost() -> None:
    main = unique_name("main")
    with running("--input", f"ndi:{main}", "--set", "input.on_lost=text") as daemon:
        with sending(main, PICTURE) as first, watching(daemon) as receiver:
            receiver.picture(lambda p: p.shape == (64, 64, 4), lambda: first.send(with_fourth(PICTURE, "BGR")))
        with watching(daemon) as receiver:
            says(daemon, "status/input_shown", 2)
            chunks = told(daemon, "status/chunk")
            eventually("paintings", lambda: told(daemon, "status/chunk") > chunks + 3)
            one = receiver.picture(lambda p: p.shape == (64, 64, 4), lambda: None)
            receiver.picture(lambda p: not np.array_equal(p, one), lambda: None)
