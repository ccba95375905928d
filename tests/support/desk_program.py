"""A light desk by a library that others wrote: `python desk_program.py PROTOCOL TARGET UNIVERSE`. It sends the levels of each
line that it reads, again and again, and ends with its input.

PROTOCOL: artnet or sacn. TARGET: an address, a broadcast address, or `multicast`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable


def artnet(target: str, universe: int) -> tuple[Callable[[bytes], object], Callable[[], object]]:
    from stupidArtnet import StupidArtnet

    desk = StupidArtnet(target, universe, fps=40, broadcast=target.endswith(".255"), artsync=False)
    desk.start()
    return lambda levels: desk.set(bytearray(levels.ljust(512, b"\0"))), desk.stop


def sacn(target: str, universe: int) -> tuple[Callable[[bytes], object], Callable[[], object]]:
    import sacn

    desk = sacn.sACNsender(bind_port=0, source_name="sacn of Python", fps=40)
    desk.start()
    desk.activate_output(universe)
    output = desk[universe]
    if target == "multicast":
        output.multicast = True
    else:
        output.destination = target

    def send(levels: bytes) -> None:
        output.dmx_data = tuple(levels)

    return send, desk.stop


def main(protocol: str, target: str, universe: str) -> None:
    send, stop = {"artnet": artnet, "sacn": sacn}[protocol](target, int(universe))
    for line in sys.stdin:
        send(bytes(map(int, line.split())))
    stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
