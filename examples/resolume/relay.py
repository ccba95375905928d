"""Hands Resolume's dashboard on to sdv2-live: no custom addresses needed in Resolume.

Resolume: Preferences > OSC > OSC Output, to this computer, port 7001. Then: python relay.py
Every line of TABLE is an address of Resolume and where its value goes; change it as you like.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import BlockingOSCUDPServer
from pythonosc.udp_client import SimpleUDPClient

TABLE = {
    "/composition/dashboard/link1": "/sdv2/noise_scale/norm",
    "/composition/dashboard/link2": "/sdv2/mix/norm",
    "/composition/dashboard/link3": "/sdv2/morph_seconds/norm",
    "/composition/dashboard/link4": "/sdv2/prompt/1/weight/norm",
    "/composition/dashboard/link5": "/sdv2/prompt/2/weight/norm",
    "/composition/dashboard/link6": "/sdv2/transition_chunks/norm",
    "/composition/dashboard/link7": "/sdv2/freeze/norm",
    "/composition/dashboard/link8": "/sdv2/bypass/norm",
}


def relay(listen: tuple[str, int], send: tuple[str, int]) -> BlockingOSCUDPServer:
    """A server that hands on what TABLE names; run it with `serve_forever`."""
    client = SimpleUDPClient(*send)
    dispatcher = Dispatcher()
    for source, target in TABLE.items():
        dispatcher.map(source, lambda _, *values, target=target: client.send_message(target, values[:1]))
    return BlockingOSCUDPServer(listen, dispatcher)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the options and run until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", type=int, default=7001, help="port that Resolume sends to (default: 7001)")
    parser.add_argument("--port", type=int, default=9000, help="OSC port of sdv2-live (default: 9000)")
    options = parser.parse_args(arguments)
    with relay(("127.0.0.1", options.listen), ("127.0.0.1", options.port)) as server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("stopped")


if __name__ == "__main__":
    main()
