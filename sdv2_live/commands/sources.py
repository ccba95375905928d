"""`sdv2-live sources`: the NDI sources in reach, and what this machine has.

Of this machine: cameras with their modes, monitors, sound inputs and, on Windows, Spout senders.
"""

from __future__ import annotations

import argparse
from contextlib import suppress

from sdv2_live import logs
from sdv2_live.commands.options import add_config_options, configured
from sdv2_live.commands.table import Table, add_json_option
from sdv2_live.errors import DeviceError, SoundError, VideoError
from sdv2_live.io.ndi.lib import list_sources
from sdv2_live.io.sound.lib import list_cards, list_loopbacks
from sdv2_live.io.spout import lib as spout_lib


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "sources", help="list NDI sources, Spout senders, cameras, monitors and sound", description=__doc__
    )
    add_config_options(parser)
    add_json_option(parser)
    parser.add_argument("--wait", type=float, default=2.0, metavar="S", help="seconds to look (default: 2)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a table; exit status 1 when nothing was found."""
    settings = configured(args).ndi.settings
    rows = [(s.name, s.address, f"--input {quoted(f'ndi:{s.inner_name}')}") for s in list_sources(settings, args.wait)]
    rows += _spout_senders()
    here, sounds = [*_cameras(), *_monitors()], _sound_inputs()
    if not rows:
        logs.say(
            f"no NDI source answered within {args.wait:g} s (asked {settings.ips} and the local network). Start the sender's NDI "
            "output; on Linux run avahi-daemon, or give the sender's address: --set ndi.extra_ips=192.168.1.20"
        )
    if rows or here or sounds:
        Table({"source": "source", "address": "address", "use": "use as"}, [*rows, *here, *sounds]).print(as_json=args.json)
    return 0 if rows or here or sounds else 1


def quoted(word: str) -> str:
    """One word for a POSIX shell, whatever is in it; always in quotes, as other shells read most names so too."""
    return "'" + word.replace("'", "'\\''") + "'"


def _cameras() -> list[tuple[str, str, str]]:
    from sdv2_live.io.devices.cameras import list_cameras  # here: PyAV takes a while to import, and --help shall not
    from sdv2_live.io.devices.modes import listed

    cameras = list_cameras()
    names = [camera.name for camera in cameras]
    return [
        (
            camera.name,
            f"camera {camera.number}, {listed(camera.modes) or 'its modes cannot be told'}",
            f"--input {quoted(f'camera:{camera.name if names.count(camera.name) == 1 else camera.number}')}",
        )
        for camera in cameras
    ]


def _monitors() -> list[tuple[str, str, str]]:
    """Those of this machine's desktop; none where it has none."""
    from sdv2_live.io.devices.screens import list_screens  # here: as above

    with suppress(DeviceError):
        return [
            (one.name, f"monitor {number}, {one.size}{', primary' if one.primary else ''}", f"--input screen:{number}")
            for number, one in enumerate(list_screens(), 1)
        ]
    return []


def _sound_inputs() -> list[tuple[str, str, str]]:
    """Those that the libraries which are installed find; `sdv2-live doctor` says why there are none."""
    found = []
    for look in (list_cards, list_loopbacks):
        with suppress(SoundError):
            found += look()
    return [
        (one.name, f"sound, {one.channels} channels{', default' if one.default else ''}", f"--set audio.source={quoted(one.use)}")
        for one in found
    ]


def _spout_senders() -> list[tuple[str, str, str]]:
    if spout_lib.SYSTEM != "win32":
        return []
    try:
        senders = spout_lib.list_senders()
    except VideoError as error:
        logs.say(error)
        return []
    return [(s.name, f"Spout {s.width}x{s.height}{', active' if s.active else ''}", f'--input "spout:{s.name}"') for s in senders]
