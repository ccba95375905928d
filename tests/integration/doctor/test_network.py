"""The network's checks, with real sockets and real NDI on loopback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from support.waiting import DEADLINE_S

from sdv2_live.config.load import load_config
from sdv2_live.config.schema import Config
from sdv2_live.doctor.network import AVAHI, SIZE, _compared, discovery, look_ndi, look_osc, look_oscquery, loopback
from sdv2_live.doctor.probe import Status
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.ndi.config import CONFIG_NAME
from sdv2_live.io.ndi.settings import NdiSettings


@contextmanager
def listening(kind: int = socket.AF_INET, address: object = ("127.0.0.1", 0)) -> Iterator[socket.socket]:
    with socket.socket(kind, socket.SOCK_STREAM) as server:
        server.bind(address)  # type: ignore[arg-type]
        server.listen()
        yield server


def test_ndi_sends_finds_and_receives() -> None:
    library, sent = look_ndi(Config())
    assert library.status is Status.OK
    assert sent.status is Status.OK
    assert "sent, found and received" in sent.detail


def test_a_picture_that_does_not_come_back_is_told() -> None:
    check = loopback(NdiSettings(), seconds=0.0)
    assert check.status is Status.FAIL
    assert "firewall" in check.remedy


@pytest.mark.parametrize(("height", "level"), [(SIZE[0], 200), (90, 126)])
def test_a_picture_that_comes_back_changed_is_told(height: int, level: int) -> None:
    rows = np.full((height, SIZE[1] * 2), level, np.uint8)
    assert _compared(Frame(rows, SIZE[1], height, PixelFormat.UYVY), 0.1).status is Status.WARN


def test_discovery_server() -> None:
    with listening() as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert discovery(NdiSettings(discovery_server=address)).status is Status.OK
    gone = discovery(NdiSettings(discovery_server=address))
    assert gone.status is Status.FAIL
    assert address in gone.detail


def test_extra_addresses() -> None:
    gone = discovery(NdiSettings(extra_ips=("127.0.0.77",)))
    assert gone.status is Status.WARN
    assert "127.0.0.77" in gone.detail
    if sys.platform == "linux":
        with listening(address=("127.0.0.77", 5960)):
            assert discovery(NdiSettings(extra_ips=("127.0.0.77",))).status is Status.OK


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system does mDNS")
def test_avahi(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    assert discovery(NdiSettings(), path).status is Status.WARN
    with listening(socket.AF_UNIX, path):
        assert discovery(NdiSettings(), path).status is Status.OK
    assert discovery(NdiSettings(), path).status is Status.WARN  # the file is left, nobody listens


SEEN = """
import sys
from sdv2_live.config.load import load_config
from sdv2_live.doctor.network import AVAHI, look_discovery
(check,) = look_discovery(load_config(None, sys.argv[1:]))
print(check.status, check.detail, check.remedy, sep="; ")
"""


@pytest.mark.skipif(sys.platform != "linux" or Path(AVAHI).exists(), reason="there is mDNS")
@pytest.mark.parametrize("direct", [False, True])
def test_that_other_programs_do_not_find_us_without_mdns_is_told(tmp_path: Path, direct: bool) -> None:
    """They do where the machine's own NDI settings give them the loopback's address, which only a new process reads."""
    (tmp_path / CONFIG_NAME).write_text(json.dumps({"ndi": {"networks": {"ips": "127.0.0.1," if direct else ""}}}))
    env = os.environ | {"NDI_CONFIG_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", SEEN], env=env, capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    said = done.stdout.splitlines()[-1]
    assert said.startswith("warn; avahi-daemon does not run")
    assert ("other NDI programs, such as OBS, do not find our output" in said) == (not direct)
    assert "sudo apt install avahi-daemon" in said


def test_osc_port() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        (taken,) = look_osc(load_config(None, [f"osc.port={port}"]))
    assert taken.status is Status.FAIL
    assert f"127.0.0.1:{port} is in use" in taken.detail
    assert "osc.port" in taken.remedy
    (free,) = look_osc(load_config(None, [f"osc.port={port}", "osc.tcp=true"]))
    assert free.status is Status.OK
    (off,) = look_osc(load_config(None, ["osc.enabled=false"]))
    assert "off" in off.detail


def test_oscquery_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        (taken,) = look_oscquery(load_config(None, [f"osc.port={port}"]))
        (beside,) = look_oscquery(load_config(None, [f"osc.port={port}", "oscquery.port=0"]))
    assert taken.status is Status.FAIL
    assert f"127.0.0.1:{port} is in use" in taken.detail
    assert "--set oscquery.port=" in taken.remedy
    assert "oscquery.enabled=false" in taken.remedy
    assert beside.status is Status.OK
    (off,) = look_oscquery(load_config(None, ["oscquery.enabled=false"]))
    assert "off" in off.detail
