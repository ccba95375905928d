"""A show that light desks play, and whose news are Companion's variables: another program's OSC receiver reads them."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from support.dmx import artnet
from support.waiting import eventually

from sdv2_live.config.load import load_config
from sdv2_live.errors import ConfigError
from sdv2_live.show.control_plane import ControlPlane


@pytest.mark.skipif(not shutil.which("oscdump"), reason="liblo's oscdump is not installed")
def test_what_a_desk_plays_comes_to_companion(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    keys = [f"state.dir={tmp_path}", f"timeline.dir={tmp_path}", "osc.port=0", "dmx.enabled=true", "companion.enabled=true"]
    keys.append(f"companion.port={port}")
    config = tmp_path / "show.yaml"
    config.write_text("companion: {variables: {noise: noise_scale, frozen: freeze, desks: info/dmx}}", encoding="utf-8")
    heard = tmp_path / "heard"
    with heard.open("w", encoding="utf-8") as out:
        dump = subprocess.Popen(["stdbuf", "-oL", "oscdump", str(port)], stdout=out)
    try:
        with ControlPlane(load_config(config, keys)) as control, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as desk:
            for noise, frozen in ((0, 0), (51, 0), (51, 255)):
                desk.sendto(artnet(bytes([noise, 0, 0, 0, frozen])), ("127.0.0.1", 6454))
            eventually("the desk", lambda: control.store.latest().freeze)

            def told() -> bool:
                text = heard.read_text(encoding="utf-8")
                return "/custom-variable/noise/value f 0.200000" in text and "/custom-variable/frozen/value i 1" in text

            eventually("the variables", told, 10)
    finally:
        dump.terminate()
        dump.wait()


def test_what_a_desk_plays_waits_for_the_beat_but_its_faders_do_not(tmp_path: Path) -> None:
    keys = [f"state.dir={tmp_path}", f"timeline.dir={tmp_path}", "osc.port=0", "dmx.enabled=true"]
    with ControlPlane(load_config(None, keys)) as control, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as desk:
        launcher, latest = control.music.launcher, control.store.latest
        control.store.set("tempo/quantise", "8bars", "hand")

        def plays(*levels: int) -> None:
            desk.sendto(artnet(bytes(levels)), ("127.0.0.1", 6454))

        plays(0, 0, 0, 0, 0, 0, 0, 0, 255)  # the last: which grid
        plays(0, 0, 3, 0, 255, 0, 0, 255, 255)
        plays(51, 0, 3, 0, 255, 0, 0, 0, 255)
        eventually("the fader", lambda: latest().noise_scale == 0.2)
        eventually("all else", lambda: launcher.waiting.keys() == {"freeze", "reset", "preset"})
        assert not latest().freeze
        assert launcher.waiting["preset"] == control.presets.get(3).name
        plays(51, 0, 3, 0, 0, 0, 0, 0, 255)
        eventually("the switch to be taken back", lambda: launcher.waiting.keys() == {"reset", "preset"})
        plays(51, 0, 3, 0, 255, 0, 0, 0, 255)
        eventually("the switch again", lambda: "freeze" in launcher.waiting)
        plays(51, 0, 3, 0, 255, 0, 0, 0, 0)  # no grid: what waits is launched
        eventually("all of it", lambda: latest().freeze and latest().preset == control.presets.get(3).name)
        assert not launcher.waiting


def test_a_variable_that_shows_nothing_is_refused_and_leaves_no_port_open(tmp_path: Path) -> None:
    keys = [f"state.dir={tmp_path}", f"timeline.dir={tmp_path}", "osc.port=0", "companion.enabled=true"]
    config = tmp_path / "show.yaml"
    config.write_text("companion: {variables: {a: tempo/bmp}}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"companion\.variables: a cannot show 'tempo/bmp'; did you mean 'tempo/bpm'"):
        ControlPlane(load_config(config, keys))
