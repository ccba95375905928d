r"""`sdv2-live midi`: play the parameters from a MIDI controller.

A process of its own: it speaks OSC to the daemon, so it may come and go during a show, and so may the controller, which need not
be there at the start. Run one for each controller. Without --map the map is found by the port's name: first in
~/.config/sdv2-live/midi (on Windows %LOCALAPPDATA%\sdv2-live\midi), where --learn writes, then among those that come with
sdv2-live (Akai APC mini, Novation Launch Control XL).

Where the controller's port sends MIDI clock, it leads the tempo of a show whose tempo/source is midi. --clock listens to nothing
but that: to the port that --port names, or to the first that sends clock.

--learn ADDRESS waits for the next control that moves and writes it into the map, in place of the entry for the same address
(and --value) if there is one. A fader sends its position to ADDRESS, an endless encoder moves it by steps; a button fires,
toggles, or sends --value.
"""

from __future__ import annotations

import argparse
import queue
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from sdv2_live import logs
from sdv2_live.commands.options import add_config_options, configured
from sdv2_live.config.schema_files import config_dir
from sdv2_live.control.names import TABLE, ParamNames
from sdv2_live.control.osc.client import reached
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.throttle import Throttle
from sdv2_live.errors import ConfigError, MidiError, ParamError
from sdv2_live.system.console import STOPS, on_stop
from sdv2_live.system.folders import config_folder

LEARN_S = 60.0


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the `midi` command to an argparse subparser group; its `run` is set as the default `run`."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "midi",
        help="play the parameters from a MIDI controller",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_options(parser)
    parser.add_argument("--list", action="store_true", help="show the MIDI ports and the map that fits each")
    parser.add_argument("--port", metavar="NAME", help="a part of the MIDI port's name; default: the first port that a map fits")
    parser.add_argument("--map", type=Path, metavar="FILE", help="the map; default: by the port's name")
    parser.add_argument("--osc", metavar="HOST:PORT", help="the daemon (default: osc.host and osc.port: 127.0.0.1:9000)")
    parser.add_argument("--learn", metavar="ADDRESS", help="write the next control that moves into the map, for this OSC address")
    parser.add_argument("--clock", action="store_true", help="lead the show's tempo by a port's MIDI clock, and play nothing")
    parser.add_argument("--value", metavar="VALUE", help="with --learn: what the button sends, such as 3 or [700, 500]")
    parser.add_argument("--api", metavar="NAME", help="MIDI interface: LINUX_ALSA, UNIX_JACK, MACOSX_CORE, WINDOWS_MM")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Carry out the parsed command until stopped, and return the exit code. Raises Sdv2Error for the top to print."""
    try:
        from sdv2_live.midi.ports import SystemPorts
    except ImportError as error:
        raise MidiError(f"MIDI needs {error.name}; install the extra: pip install 'sdv2-live[midi]'") from error
    ports = SystemPorts(args.api)
    if args.list:
        return _list(ports, configured(args).names)
    return _learn(args, ports) if args.learn is not None else _play(args, ports)


def own_maps() -> Path:
    """The folder of the performer's own maps."""
    return config_folder() / "midi"


def map_files() -> list[Path]:
    """Every map, the performer's own first."""
    return [path for folder in (own_maps(), config_dir() / "midi") for path in sorted(folder.glob("*.yaml"))]


def find_map(port_name: str, names: ParamNames = TABLE) -> Path | None:
    """The first map whose `port` is in the port's name. Raises ConfigError when a map on the way is broken."""
    from sdv2_live.midi.mapfile import load_map

    return next((path for path in map_files() if load_map(path, names).port in port_name), None)


def endpoint(text: str) -> tuple[str, int]:
    """(host, port) of "127.0.0.1:9000". Raises ConfigError."""
    host, separator, port = text.rpartition(":")
    if not separator or not host or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise ConfigError(f"--osc cannot be {text!r}; give HOST:PORT, such as 127.0.0.1:9000")
    return host.strip("[]"), int(port)


def _list(ports: Any, known: ParamNames = TABLE) -> int:
    names = list(dict.fromkeys([*ports.inputs(), *ports.outputs()]))
    from sdv2_live.midi.clock_input import listen

    clocks = listen(ports, threading.Event().wait)
    for name in names:
        clock = f"\tclock, {clocks[name]:.1f} bpm" if name in clocks else ""
        logs.say(f"{logs.harmless(name)}\t{find_map(name, known) or 'no map; make one with --learn'}{clock}")
    if not names:
        logs.say(f"no MIDI ports ({ports.api})")
    return 0


def _play(args: argparse.Namespace, ports: Any) -> int:
    from sdv2_live.midi.bridge import Bridge
    from sdv2_live.midi.mapfile import MidiMap, load_map

    config = configured(args)
    part = args.port
    stop = threading.Event()
    running: list[Bridge] = []

    def wish(*_: object) -> None:
        stop.set()
        for bridge in running:
            bridge.stop()

    for number in STOPS:
        signal.signal(number, wish)
    on_stop(wish)
    if args.clock:
        path = part = part or _awaited_clock(ports, stop)
    else:
        path = args.map or _awaited_map(ports, part, config.names, stop)
    if path is None:
        return 0
    midi_map = MidiMap(str(path), ()) if args.clock else load_map(Path(path), config.names)
    host, port = endpoint(args.osc) if args.osc else (config.osc.host, config.osc.port)
    host = reached(host)
    library = PresetLibrary(config.presets.folder, names=config.names)
    running.append(Bridge(ports, midi_map, host, port, part=part, preset_name=_preset_names(library)))
    what = "its clock" if args.clock else f"{len(midi_map.entries)} entries"
    logs.say(f"{path}: {what}, to OSC {host}:{port}; Ctrl-C ends it")
    if stop.is_set():  # in the moment before there was a bridge to tell
        running[0].stop()
    running[0].run()
    return 0


def _preset_names(library: PresetLibrary) -> Callable[[Any], str | None]:
    """Names by number, name or file name, of the files as they are now."""
    look = Throttle(rate=1, burst=1)

    def name(key: Any) -> str | None:
        try:
            if look.allow():
                library.poll()
            return library.get(key).name
        except (ParamError, ConfigError):  # the daemon's presets may be others than ours
            return None

    return name


def _awaited_map(ports: Any, part: str | None, known: ParamNames, stop: threading.Event) -> Path | None:
    """The map of the first port that has one, as soon as such a port is there; None when stopped before."""
    from sdv2_live.midi.bridge import LOOK_S

    said = None
    while not stop.is_set():
        names = [name for name in ports.inputs() if part is None or part.lower() in name.lower()]
        path = next((path for name in names if (path := find_map(name, known))), None)
        if path is not None:
            return path
        if names != said:
            said = names
            logs.say(_unmapped(names, part))
        stop.wait(LOOK_S)
    return None


def _awaited_clock(ports: Any, stop: threading.Event) -> str | None:
    """The first port that sends clock, as soon as there is one; None when stopped before."""
    from sdv2_live.midi.clock_input import listen

    logs.say("listening for a port that sends MIDI clock; Ctrl-C ends it")
    while not stop.is_set():
        for name, bpm in listen(ports, stop.wait).items():
            logs.say(f"{logs.harmless(name)}: {bpm:.1f} bpm")
            return name
    return None


def _unmapped(names: list[str], part: str | None) -> str:
    if names:
        return f"no map fits {' or '.join(names)}; make one with --learn ADDRESS or give --map FILE. Waiting; Ctrl-C ends it"
    wanted = "controller is plugged in" if part is None else f"MIDI port contains '{part}'"
    return f"no {wanted} yet; waiting for it. Ctrl-C ends it"


def _learn(args: argparse.Namespace, ports: Any) -> int:
    from sdv2_live.midi.learn import ambiguous, check_address, learned, moved, taught, write
    from sdv2_live.midi.ports import Device

    known = configured(args).names
    check_address(args.learn, known)
    value = _value(args.value)
    names = list(ports.inputs())
    heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
    device = Device(ports, args.port or _only(names), heard.put, any_case=True)
    device.poll()
    if not device.connected:
        raise MidiError(f"no MIDI port contains '{args.port}'; the ports are {names}")
    try:
        path, text = _file_to_teach(args.map, device.name, known)
        logs.say(f"{device.name}: move the control for {args.learn} ({LEARN_S:g} s)")
        messages = moved(heard, LEARN_S)
        while ambiguous(messages):
            logs.say("this is an encoder: turn it the other way too, to show how it counts")
            messages += moved(heard, LEARN_S)
        item = learned(messages, args.learn, value, known)
    finally:
        device.close()
    new, replaced = taught(text, path, item, known)
    write(path, new)
    logs.say(f"{path}: {item} {'replaced the entry for that address' if replaced else 'added'}")
    return 0


def _only(names: list[str]) -> str:
    if len(names) != 1:
        what = f"the ports are {', '.join(names)}" if names else "no controller is plugged in"
        raise MidiError(f"say which port to learn from with --port; {what}")
    return names[0]


def _value(text: str | None) -> Any:
    try:
        return None if text is None else yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--value cannot be {text!r}: {error}") from error


def _file_to_teach(given: Path | None, port: str, known: ParamNames) -> tuple[Path, str]:
    """The map to write, and what it says now. What ships with sdv2-live is copied, not written to."""
    found = given or find_map(port, known)
    device = re.sub(r"(:.*| \d+(:\d+)?)$", "", port)
    path = given or own_maps() / (found.name if found else re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-") + ".yaml")
    if found is not None and found.exists():
        try:
            return path, found.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{found}: cannot be read: {error}; check the path") from error
    return (
        path,
        f"# Made with sdv2-live midi --learn.\nport: {yaml.safe_dump(device, width=10**6).splitlines()[0]}\ncontrols: []\n",
    )
