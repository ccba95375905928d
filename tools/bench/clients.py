"""Clients at their worst: `python tools/bench/clients.py CLIENT OSC_PORT HTTP_PORT SECONDS`, started by `bench.py --live siege`.

Each client is a process of its own and sends from addresses of its own (127.0.1.x), as one machine of a network would. It stops
by itself after SECONDS and prints one line: what it sent and how it was answered. The packets are written by hand, so that
nothing of the program under test makes them.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial

import aiohttp

NTP_1970 = 2_208_988_800  # seconds from the epoch of OSC's time tags to that of Unix
CONNECTIONS = 1000


@dataclass(frozen=True)
class Target:
    """The daemon: its two ports, and how long to send to it."""

    osc: int
    http: int
    seconds: float

    def until(self) -> Iterator[float]:
        """The seconds that have passed, again and again, until the time is over."""
        begin = time.monotonic()
        while (now := time.monotonic() - begin) < self.seconds:
            yield now


def padded(data: bytes) -> bytes:
    return data + b"\0" * (4 - len(data) % 4)


def message(address: str, *args: float | str | int) -> bytes:
    tags = "".join({int: "i", float: "f", str: "s"}[type(arg)] for arg in args)
    packed = [
        padded(arg.encode()) if isinstance(arg, str) else struct.pack(f">{tag}", arg) for tag, arg in zip(tags, args, strict=True)
    ]
    return padded(address.encode()) + padded(f",{tags}".encode()) + b"".join(packed)


def bundle(messages: list[bytes], at: int = 1) -> bytes:
    """at: an OSC time tag; 1 means at once."""
    return b"#bundle\0" + struct.pack(">Q", at) + b"".join(struct.pack(">I", len(one)) + one for one in messages)


def filled(one: bytes, at: int = 1) -> bytes:
    """As large a bundle of one message as fits a datagram."""
    return bundle([one] * (64_000 // (len(one) + 4)), at)


def sender(number: int = 1) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((f"127.0.1.{number}", 0))
    return sock


def datagrams(target: Target, packets: list[bytes], rate: float, senders: int = 1) -> str:
    """The packets in turn, so many a second in all; each sender sends the next one."""
    socks = [sender(1 + number) for number in range(senders)]
    source = zip(itertools.cycle(socks), itertools.cycle(packets), strict=False)
    sent = 0
    for now in target.until():
        for sock, packet in itertools.islice(source, max(int(now * rate) - sent, 0)):
            with suppress(OSError):  # no buffer left: sent faster than the machine carries
                sock.sendto(packet, ("127.0.0.1", target.osc))
            sent += 1
        time.sleep(0.0005)
    return f"{sent / target.seconds:.0f} packets/s"


def connect(port: int, number: int = 1) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 2, source_address=(f"127.0.1.{number}", 0))


def hold(target: Target, port: int, count: int, first: bytes) -> str:
    """Connections that say little and stay."""
    with ExitStack() as opened:
        held = refused = 0
        for _ in range(count):
            try:
                sock = opened.enter_context(connect(port))
                sock.sendall(first)
                held += 1
            except OSError:
                refused += 1
        for _ in target.until():
            time.sleep(0.05)
    return f"{held} connected, {refused} refused"


def requests(target: Target, raw: bytes, rate: float) -> str:
    """One connection for each request, so many a second at most."""
    seen: Counter[str] = Counter()
    for now in target.until():
        if sum(seen.values()) >= now * rate:
            time.sleep(0.0005)
            continue
        try:
            with connect(target.http) as sock:
                if raw:
                    sock.sendall(raw)
                    seen[sock.recv(300).split(b" ", 2)[1:2][0].decode() if raw else "closed"] += 1
                else:
                    seen["opened"] += 1
        except (OSError, IndexError) as error:
            seen[type(error).__name__] += 1
    return ", ".join(f"{count / target.seconds:.0f}/s {what}" for what, count in seen.most_common(4))


def asked(target: Target, path: str, rate: float) -> str:
    """One client that keeps its connection and asks for `path`, so many times a second at most."""

    async def ask() -> Counter[str]:
        seen: Counter[str] = Counter()
        connector = aiohttp.TCPConnector(local_addr=("127.0.1.1", 0))
        async with aiohttp.ClientSession(f"http://127.0.0.1:{target.http}", connector=connector) as session:
            for now in target.until():
                if sum(seen.values()) >= now * rate:
                    await asyncio.sleep(0.0005)
                    continue
                try:
                    async with session.get(path, timeout=aiohttp.ClientTimeout(10)) as answer:
                        await answer.read()
                        seen[str(answer.status)] += 1
                except (aiohttp.ClientError, TimeoutError) as error:
                    seen[type(error).__name__] += 1
        return seen

    return ", ".join(f"{count / target.seconds:.0f}/s {what}" for what, count in asyncio.run(ask()).most_common(4))


def websockets(target: Target, count: int, first: str | bytes, *, again: bool = False) -> str:
    """So many WebSockets that send `first`, once or for ever, and read what comes only where they send once."""
    seen: Counter[str] = Counter()

    async def one(session: aiohttp.ClientSession) -> None:
        try:
            async with session.ws_connect("/") as ws:
                seen["opened"] += 1
                for _ in target.until():
                    if again or not seen["sent"]:
                        await (ws.send_bytes(first) if isinstance(first, bytes) else ws.send_str(first))
                        seen["sent"] += 1
                    if not again:
                        with suppress(TimeoutError):
                            seen["heard"] += (await ws.receive(timeout=0.2)).type is aiohttp.WSMsgType.BINARY
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            seen[type(error).__name__] += 1

    async def all_of_them() -> None:
        connector = aiohttp.TCPConnector(limit=0, local_addr=("127.0.1.1", 0))
        async with aiohttp.ClientSession(f"http://127.0.0.1:{target.http}", connector=connector) as session:
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*[one(session) for _ in range(count)]), target.seconds + 2)

    asyncio.run(all_of_them())
    return ", ".join(f"{count} {what}" for what, count in seen.items())


def resubscribing(target: Target) -> str:
    """A client that subscribes from a new port each time and leaves without a word."""
    count = 0
    for _ in target.until():
        with sender() as sock:
            sock.sendto(message("/sdv2/subscribe"), ("127.0.0.1", target.osc))
            count += 1
        time.sleep(0.05)
    return f"{count} subscriptions"


def echoing(target: Target) -> str:
    """A client that has everything sent to the daemon's own port."""
    with sender() as sock:
        for _ in target.until():
            sock.sendto(message("/sdv2/subscribe", "127.0.0.1", target.osc), ("127.0.0.1", target.osc))
            time.sleep(0.5)
    return ""


def scheduled(target: Target) -> str:
    """Full bundles that are due when the attack is over, all at once."""
    due = int((time.time() + target.seconds + NTP_1970) * 2**32)
    return datagrams(target, [filled(message("/sdv2/seed", 7), due)], 50)


MOVES = [value / 50 for value in range(50)]
BRACES = message("/sdv2/" + "{,,,}" * 18 + "!", 1.0)
NESTED = padded(b"/sdv2/seed") + padded(b"," + b"[" * 2000 + b"]" * 2000)
PROMPTS = [message("/sdv2/prompt", f"a dancer in ink number {number}") for number in range(2000)]
LISTEN = '{"COMMAND": "LISTEN", "DATA": "/sdv2/mix"}'
BAD_HTTP = b"GET / HTTP/1.1\r\nHost: a\r\nX Y: z\r\n\r\n"


def fader_moves(*addresses: str) -> list[bytes]:
    return [message(address, value) for value in MOVES for address in addresses]


CLIENTS: dict[str, Callable[[Target], str]] = {
    # load: what a lively rig may do
    "http-value-50": partial(asked, path="/sdv2/mix?VALUE", rate=50),
    "http-value-1000": partial(asked, path="/sdv2/mix?VALUE", rate=1000),
    "http-tree-1000": partial(asked, path="/", rate=1000),
    "http-metrics-1000": partial(asked, path="/metrics", rate=1000),
    "websockets-100": partial(websockets, count=100, first=LISTEN),
    "osc-faders": partial(datagrams, packets=fader_moves("/sdv2/mix/norm", "/sdv2/prompt/3/weight"), rate=10_000, senders=50),
    "osc-seeds": partial(datagrams, packets=fader_moves("/sdv2/seed", "/sdv2/transition_chunks"), rate=10_000, senders=50),
    "osc-unknown": partial(datagrams, packets=fader_moves("/sdv2/nois", "/foo/bar"), rate=10_000, senders=50),
    "osc-prompts": partial(datagrams, packets=PROMPTS, rate=200),
    "osc-presets": partial(datagrams, packets=[message("/sdv2/preset", 1 + number) for number in range(8)], rate=200),
    # attacks: one sender at its worst
    "osc-flood": partial(datagrams, packets=fader_moves("/sdv2/mix", "/sdv2/seed"), rate=200_000),
    "osc-braces": partial(datagrams, packets=[BRACES], rate=1),
    "osc-brace-flood": partial(datagrams, packets=[BRACES], rate=2000),
    "osc-pattern-bundles": partial(datagrams, packets=[filled(message("/sdv2/*", 1.0))], rate=20),
    "osc-bundles": partial(datagrams, packets=[filled(message("/sdv2/seed", 7))], rate=200),
    "osc-scheduled": scheduled,
    "osc-nested": partial(datagrams, packets=[NESTED], rate=500),
    "osc-reload": partial(datagrams, packets=[message("/sdv2/preset/reload")], rate=200),
    "osc-save": partial(datagrams, packets=[message("/sdv2/preset/save", f"look {number}") for number in range(500)], rate=200),
    "osc-resubscribe": resubscribing,
    "osc-self": echoing,
    "tcp-idle": lambda target: hold(target, target.osc, 64, b"\0\0"),
    "http-idle": lambda target: hold(target, target.http, CONNECTIONS, b""),
    "http-open-close": partial(requests, raw=b"", rate=1000),
    "http-malformed": partial(requests, raw=BAD_HTTP, rate=5000),
    "websocket-binary": partial(websockets, count=1, first=filled(message("/sdv2/mix", 1.0)), again=True),
}


def main() -> None:
    name, osc, http, seconds = sys.argv[1:]
    print(CLIENTS[name](Target(int(osc), int(http), float(seconds))))


if __name__ == "__main__":
    main()
