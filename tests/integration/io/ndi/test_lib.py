"""Finding NDI sources: matching names, addresses, settings, and a library that is missing."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import time
import uuid
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.waiting import DEADLINE_S

from sdv2_live.io.ndi.lib import SETTLED_S, Finder, NdiSourceInfo, as_address, match_source
from sdv2_live.io.ndi.settings import NdiSettings
from sdv2_live.io.ndi.sink import NdiSink
from sdv2_live.io.ndi.source import NdiSource

SOURCES = [
    NdiSourceInfo("STAGE (Camera 2)", "10.0.0.2:5961"),
    NdiSourceInfo("STAGE (Camera)", "10.0.0.1:5961"),
    NdiSourceInfo("CAMERA (Program (HD))", "10.0.0.3:5961"),
]


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("STAGE (Camera)", "STAGE (Camera)"),  # the full name
        ("Camera", "STAGE (Camera)"),  # the inner name, though all three contain it
        ("Program (HD)", "CAMERA (Program (HD))"),  # parentheses inside the inner name
        ("program", "CAMERA (Program (HD))"),  # a part, in any case
        ("camera 2", "STAGE (Camera 2)"),
        ("stage", "STAGE (Camera 2)"),  # the first in order
        ("", "CAMERA (Program (HD))"),
        ("nowhere", None),
    ],
)
def test_match_prefers_exact_names(pattern: str, name: str | None) -> None:
    for sources in (SOURCES, SOURCES[::-1]):
        found = match_source(pattern, sources)
        assert (found and found.name) == name


@pytest.mark.parametrize(
    ("typed", "published"),
    [
        ("CAM: 1", "CAM  1"),
        ("1/2", "1 2"),
        ('a"b*c/d:e<f>g?h\\i|j', "a b c d e f g h i j"),
        ("Bühne", "Bu\u0308hne"),
        ("Bu\u0308hne", "Bühne"),
        ("A\u030a", "\u212b"),
        ("Größe: 2", "Gro\u0308ße  2"),
    ],
)
def test_a_name_may_be_written_as_it_was_typed(typed: str, published: str) -> None:
    source = NdiSourceInfo(f"STAGE ({published})", "10.0.0.1:5961")
    others = [NdiSourceInfo(f"STAGE ({published} 2)", "10.0.0.2:5961"), *SOURCES]
    for pattern in (typed, f"STAGE ({typed})", published):
        assert match_source(pattern, [*others, source]) == source
        assert source.called(pattern)
    assert match_source(typed.upper(), [source]) == source
    assert not source.called("STAGE")


def test_ambiguity_names_all(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        match_source("stage", SOURCES)
    assert "'STAGE (Camera 2)', 'STAGE (Camera)'" in caplog.text
    caplog.clear()
    match_source("Camera", SOURCES)
    assert not caplog.text


def test_ignored_names_need_an_exact_pattern() -> None:
    assert match_source("", SOURCES, ignore=["Program (HD)"]) == SOURCES[0]
    assert match_source("program", SOURCES, ignore=["CAMERA (Program (HD))"]) is None
    assert match_source("Program (HD)", SOURCES, ignore=["Program (HD)"]) == SOURCES[2]


def test_addresses() -> None:
    assert as_address("127.0.0.1:5961") == NdiSourceInfo("", "127.0.0.1:5961")
    assert as_address("localhost:5962") == NdiSourceInfo("", "127.0.0.1:5962")
    for name in ("Camera", "Camera:1", "1.2.3:5", "STAGE (10.0.0.1:5961)", ""):
        assert as_address(name) is None


def test_loopback_is_always_asked() -> None:
    assert NdiSettings().ips.split(",")[0] == "127.0.0.1"
    asked = NdiSettings(extra_ips=("10.0.0.2", "127.0.0.1", "10.0.0.2")).ips.split(",")
    assert asked[:2] == ["10.0.0.2", "127.0.0.1"]
    assert len(asked) == len(set(asked))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere mDNS is part of the system")
def test_every_sender_of_the_machine_is_found() -> None:
    """Three programs that publish, one of them only after the search has begun, and none by mDNS."""
    sender = (
        "import sys, NDIlib as n; n.initialize(); create = n.SendCreate(); create.ndi_name = sys.argv[1]; "
        "s = n.send_create(create); print('on', flush=True); sys.stdin.read()"
    )
    names = [f"many-{uuid.uuid4().hex[:8]}" for _ in range(3)]
    with ExitStack() as senders:

        def publish(name: str) -> None:
            process = subprocess.Popen([sys.executable, "-c", sender, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            senders.enter_context(process)
            assert process.stdout is not None
            assert process.stdin is not None
            senders.callback(process.stdin.close)
            assert process.stdout.readline() == b"on\n"

        publish(names[0])
        with Finder(NdiSettings()) as finder:
            first = finder.wait(lambda found: names[0] in {s.inner_name for s in found}, DEADLINE_S)
            assert [s.inner_name for s in first].count(names[0]) == 1
            for name in names[1:]:
                publish(name)
            found = finder.wait(lambda found: set(names) <= {s.inner_name for s in found}, DEADLINE_S)
    assert set(names) <= {s.inner_name for s in found}


def run(code: str, *args: str, **environment: str) -> str:
    """Output of Python code in a process of its own, since NDI is initialised once per process."""
    env = {k: v for k, v in os.environ.items() if k != "NDI_CONFIG_DIR"} | environment
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code, *args],
        env=env,
        capture_output=True,
        encoding="utf-8",
        timeout=2 * DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_missing_library_is_a_clear_error() -> None:
    code = """
import sys
sys.modules["NDIlib"] = None  # as if ndi-python were not installed
from sdv2_live.errors import VideoError
from sdv2_live.io.open import open_source
try:
    open_source("ndi:Camera")
except VideoError as error:
    print(error)
print(open_source("test").name)
"""
    out = run(code)
    assert "pip install ndi-python" in out
    assert "test:512x512" in out


def test_another_process_is_found_without_configuration_or_mdns() -> None:
    pytest.importorskip("NDIlib", reason="ndi-python has no wheel for this system", exc_type=ImportError)
    from support.ndi_client import unique_name

    from sdv2_live.io.ndi.sink import NdiSink

    code = """
import sys
from sdv2_live.io.ndi.lib import Finder, match_source
from sdv2_live.io.ndi.settings import NdiSettings
with Finder(NdiSettings()) as finder:
    print(match_source(sys.argv[1], finder.wait(lambda found: match_source(sys.argv[1], found) is not None, 60)))
"""
    with NdiSink(unique_name("Größe ✓")) as sink:
        assert sink.full_name in run(code, sink.full_name)


def test_discovery_server_is_asked_and_other_settings_stay(tmp_path: Path) -> None:
    """A listening socket stands for the server: the SDK connects to it. The user's own settings file is carried over."""
    pytest.importorskip("NDIlib", reason="ndi-python has no wheel for this system", exc_type=ImportError)
    (tmp_path / "ndi-config.v1.json").write_text(json.dumps({"ndi": {"networks": {"ips": "127.0.0.9"}, "machinename": "BOOTH"}}))
    code = """
import os, sys, time
from pathlib import Path
from sdv2_live.io.ndi.lib import Finder
from sdv2_live.io.ndi.settings import NdiSettings
with Finder(NdiSettings(discovery_server=sys.argv[1])):
    print(Path(os.environ["NDI_CONFIG_DIR"], "ndi-config.v1.json").read_text(), flush=True)
    sys.stdin.read()  # until the test closes it
"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(DEADLINE_S)
        address = f"127.0.0.1:{server.getsockname()[1]}"
        env = os.environ | {"NDI_CONFIG_DIR": str(tmp_path)}
        with subprocess.Popen(
            [sys.executable, "-c", code, address], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            config = json.loads(process.stdout.readline())
            server.accept()[0].close()
            process.communicate()
    assert config == {"ndi": {"networks": {"ips": "127.0.0.9", "discovery": address}, "machinename": "BOOTH"}}


def test_what_was_just_made_is_not_torn_down_at_once() -> None:
    """A connection that is lost as soon as it is accepted can abort the program of its sender."""
    settings = NdiSettings()
    begin = time.monotonic()
    Finder(settings).close()
    assert time.monotonic() - begin >= SETTLED_S
    with NdiSink(f"short-{uuid.uuid4().hex[:6]}", settings) as sink, NdiSource(sink.full_name, settings) as source:
        while not source.status.startswith("waiting for"):  # that is: the receiver has been made, no frame was sent
            before = time.monotonic()
            source.read(0.02)
        source.close()
        assert time.monotonic() - before >= SETTLED_S
