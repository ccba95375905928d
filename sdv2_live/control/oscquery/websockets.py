"""OSCQuery's WebSockets: they stream values (LISTEN, IGNORE), report changed nodes (PATH_CHANGED) and take OSC packets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from aiohttp import WSMsgType, web

from sdv2_live.control.http.places import Places
from sdv2_live.control.http.server import HttpServer, peer_of
from sdv2_live.control.osc.datagrams import PAUSE_S
from sdv2_live.control.osc.news import Args, Asked
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.oscquery.session import MAX_WAITING, Client
from sdv2_live.control.oscquery.tree import Node
from sdv2_live.control.params import Value
from sdv2_live.control.store import ParamStore
from sdv2_live.stats import Fill

MAX_CLIENTS = 64
MAX_OF_HOST = 32
MAX_MESSAGE = 65_536  # bytes, as large as a datagram can be
CLOSE_S = 0.3  # for all of them to be closed


class Sessions:
    """All WebSockets of a server, as a listener of the news of `osc`.

    All members but `listening` and `queues` belong to the loop. `osc` takes their packets; `node` returns the node of an address
    with a value.
    """

    def __init__(
        self,
        store: ParamStore,
        osc: OscServer,
        http: HttpServer,
        node: Callable[[str], Node | None],
    ) -> None:
        self._store, self._osc, self._http, self._node = store, osc, http, node
        self._places = Places("clients", MAX_CLIENTS, MAX_OF_HOST)
        self.clients: set[Client] = set()

    @property
    def listening(self) -> bool:
        """True when a WebSocket is open. Any thread."""
        return bool(self.clients)

    @property
    def queues(self) -> dict[str, Fill]:
        """Messages for the client with the longest queue. Any thread."""
        return {"oscquery": Fill(max((client.waiting for client in tuple(self.clients)), default=0), MAX_WAITING)}

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Turn a request into a WebSocket and serve it until it closes."""
        async with self._places.websocket(request, self._http, MAX_MESSAGE) as stream:
            await self._converse(stream, Client(stream, peer_of(request), self._store, self._http.counters))
        return stream

    async def _converse(self, stream: web.WebSocketResponse, client: Client) -> None:
        self.clients.add(client)
        try:
            async for message in stream:
                if message.type is WSMsgType.BINARY:
                    await self._hand_over(message.data, client)
                elif message.type is WSMsgType.TEXT:
                    if self._http.access.within_rate(f"{client.peer.host}:{client.peer.port}"):
                        client.command(message.data, self._node, self._osc.news.status)
                    else:
                        self._http.counters.flooded += 1
                await asyncio.sleep(0)  # one message in a round of the loop, however many have come
        finally:
            self.clients.discard(client)
            self._osc.forget(client.peer)
            await client.close()

    async def _hand_over(self, packet: bytes, client: Client) -> None:
        """Pass a packet to OSC, and read no further from this client until there is room for it."""
        if not self._osc.receive(packet, client.peer):
            self._http.counters.held += 1
            while not self._osc.receive(packet, client.peer):
                await asyncio.sleep(PAUSE_S)

    def changed(self, values: Mapping[str, Value], origin: str) -> None:
        """Send changed parameters to the clients."""
        for client in self.clients:
            client.changed(values)

    def told(self, messages: Mapping[str, Args]) -> None:
        """Send messages to the clients that listen to them."""
        for client in self.clients:
            client.tell(messages)

    def asked(self, what: Asked, messages: Mapping[str, Args]) -> None:
        """Send messages to the clients that listen to them."""
        self.told(messages)

    def told_at_once(self, address: str, args: Args) -> None:
        """Send a message to the clients that listen to it."""
        self.told({address: args})

    def path_changed(self, path: str) -> None:
        """Tell clients to read a node again."""
        for client in self.clients:
            client.order("PATH_CHANGED", path)

    async def close(self, application: web.Application) -> None:
        """Close all WebSockets, within CLOSE_S."""
        if farewells := [asyncio.create_task(client.close()) for client in self.clients]:
            await asyncio.wait(farewells, timeout=CLOSE_S)
