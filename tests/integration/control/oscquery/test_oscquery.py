"""OSCQuery as its clients meet it: HTTP by urllib, WebSockets by aiohttp's client, mDNS by a zeroconf browser."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import pytest
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import build_msg
from support.osc import describing
from support.waiting import DEADLINE_S, eventually
from zeroconf import ServiceBrowser, ServiceListener, Zeroconf

from sdv2_live.config.schema import Config, OscConfig, OscQueryConfig
from sdv2_live.control.http.server import HttpServer
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.osc.sockets import bind_osc, query_port
from sdv2_live.control.oscquery.oscquery import Identity, OscQuery
from sdv2_live.control.oscquery.tree import methods
from sdv2_live.control.oscquery.websockets import MAX_OF_HOST
from sdv2_live.control.params import PARAMS
from sdv2_live.control.store import ParamStore
from sdv2_live.errors import ConfigError
from sdv2_live.show.control_plane import ControlPlane


@pytest.fixture
def server(store: ParamStore) -> Iterator[OscServer]:
    with OscServer(store, port=0, status=lambda: {"fps": 24.5, "source": "CAM"}) as server:
        yield server
    assert server.counters.failures == 0


@pytest.fixture
def query(store: ParamStore, server: OscServer) -> Iterator[OscQuery]:
    with describing(store, server, presets=lambda: ["Ink"]) as query:
        yield query
    assert query.http.counters.failures == 0
    assert not query.clients


def get(query: OscQuery, path: str, **headers: str) -> tuple[int, str, Any]:
    """Status, content type and body (JSON where it says so)."""
    request = urllib.request.Request(f"http://127.0.0.1:{query.http.port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
            status, kind, body = answer.status, answer.headers.get_content_type(), answer.read()
    except urllib.error.HTTPError as error:
        status, kind, body = error.code, error.headers.get_content_type(), error.read()
    return status, kind, json.loads(body) if kind == "application/json" else body.decode()


def talk(query: OscQuery, conversation: Callable[[aiohttp.ClientWebSocketResponse], Awaitable[None]], **headers: str) -> None:
    """Hold a conversation by WebSocket; the deadline is its test."""

    async def run() -> None:
        async with (
            asyncio.timeout(DEADLINE_S),
            aiohttp.ClientSession() as session,
            session.ws_connect(f"ws://127.0.0.1:{query.http.port}/", headers=headers) as stream,
        ):
            await conversation(stream)

    asyncio.run(run())


async def heard(stream: aiohttp.ClientWebSocketResponse) -> tuple[Any, ...]:
    message = OscMessage(await stream.receive_bytes())
    return (message.address, *message.params)


async def listen(stream: aiohttp.ClientWebSocketResponse, *addresses: str, command: str = "LISTEN") -> None:
    for address in addresses:
        await stream.send_str(json.dumps({"COMMAND": command, "DATA": address}))


def test_whole_tree(query: OscQuery) -> None:
    status, kind, root = get(query, "/")
    assert (status, kind) == (200, "application/json")
    assert root["FULL_PATH"] == "/"
    assert set(root["CONTENTS"]["sdv2"]["CONTENTS"]) >= {name.split("/")[0] for name in PARAMS if "lora" not in name} | {
        "status",
        "info",
        "subscribe",
    }


def test_a_node_and_its_live_value(query: OscQuery, store: ParamStore) -> None:
    store.set("noise_scale", 0.25, "midi")
    status, _, node = get(query, "/sdv2/noise_scale")
    assert status == 200
    assert node["VALUE"] == [0.25]
    assert node["RANGE"] == [{"MIN": 0.0, "MAX": 1.0}]
    assert get(query, "/sdv2/noise_scale?VALUE")[2] == {"VALUE": [0.25]}
    assert get(query, "/sdv2/noise_scale?TYPE")[2] == {"TYPE": "f"}
    assert get(query, "/sdv2/status/fps?VALUE")[2] == {"VALUE": [24.5]}
    assert get(query, "/sdv2/preset?RANGE")[2] == {"RANGE": [{"VALS": ["Ink"]}]}


def test_host_info(query: OscQuery, server: OscServer) -> None:
    status, _, info = get(query, "/sdv2/anything?HOST_INFO")
    assert status == 200
    assert info["NAME"] == "sdv2-live"
    assert info["OSC_PORT"] == server.port
    assert info["OSC_TRANSPORT"] == "UDP"
    assert info["EXTENSIONS"]["LISTEN"] is True
    assert info["EXTENSIONS"]["PATH_CHANGED"] is True


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/sdv2/nothing", 404),
        ("/sdv2/nothing?VALUE", 404),
        ("/sdv2/noise_scale?VALU", 400),
        ("/sdv2/noise_scale?HTML", 400),
        ("/sdv2/reset?VALUE", 204),
        ("/sdv2?VALUE", 204),
        ("/sdv2?TYPE", 204),
        ("/sdv2?CONTENTS", 200),
        ("/sdv2/noise_scale?UNIT", 204),
        ("/sdv2/noise_scale?CONTENTS", 204),
        ("/sdv2/noise_scale?UNIT&VALUE", 200),
        ("/sdv2/prompt?RANGE", 204),
        ("/sdv2/status/fps?RANGE", 204),
        ("/sdv2/prompt?VALUE", 200),
        ("/sdv2/subscribe", 200),
        ("/HOST_INFO", 200),
        ("/sdv2/noise_scale/", 200),
        ("/%2e%2e/%2e%2e/etc/passwd", 404),
        ("/" + "x" * 20_000, 400),
    ],
)
def test_statuses(path: str, status: int, query: OscQuery) -> None:
    assert get(query, path)[0] == status


def test_nothing_is_taken_by_other_methods(query: OscQuery) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{query.http.port}/sdv2/seed", data=b"VALUE=1", method="POST")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=DEADLINE_S)
    assert caught.value.code == 405


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Host": "rebound.example:9000"},
        {"Host": "rebound.local:9000", "Origin": "http://rebound.local:9000"},
    ],
)
def test_web_pages_of_other_origins_are_refused(headers: dict[str, str], query: OscQuery) -> None:
    assert get(query, "/", **headers)[0] == 403

    async def nothing(stream: aiohttp.ClientWebSocketResponse) -> None:
        raise AssertionError("it was let in")

    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        talk(query, nothing, **headers)
    assert caught.value.status == 403


def test_own_pages_and_names_are_answered(query: OscQuery) -> None:
    assert get(query, "/", Origin=f"http://127.0.0.1:{query.http.port}")[0] == 200
    assert get(query, "/", Host=f"localhost:{query.http.port}")[0] == 200
    assert get(query, "/", Host=f"{socket.gethostname()}:{query.http.port}")[0] == 200


def test_listen_and_ignore(query: OscQuery, store: ParamStore) -> None:
    async def conversation(stream: aiohttp.ClientWebSocketResponse) -> None:
        await listen(stream, "/sdv2/noise_scale", "/sdv2/seed")
        assert await heard(stream) == ("/sdv2/noise_scale", pytest.approx(0.7))
        assert await heard(stream) == ("/sdv2/seed", 42)
        store.set("mix", 0.5, "midi")  # nobody listens to it
        store.set("noise_scale", 0.25, "midi")
        assert await heard(stream) == ("/sdv2/noise_scale", 0.25)
        await listen(stream, "/sdv2/noise_scale", command="IGNORE")
        await listen(stream, "/sdv2/freeze")
        assert await heard(stream) == ("/sdv2/freeze", 0)
        store.set("noise_scale", 0.5, "midi")
        store.set("seed", 7, "midi")
        assert await heard(stream) == ("/sdv2/seed", 7)

    talk(query, conversation)


def test_listening_to_many_addresses_describes_all_of_them_once(
    store: ParamStore, server: OscServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdv2_live.control.oscquery.oscquery.METHODS_S", float("inf"))
    described = []
    monkeypatch.setattr(
        "sdv2_live.control.oscquery.oscquery.methods", lambda *args, **more: described.append(1) or methods(*args, **more)
    )

    async def conversation(stream: aiohttp.ClientWebSocketResponse) -> None:
        await listen(stream, *(f"/sdv2/nothing/{number}" for number in range(50)), "/sdv2/mix/")
        assert await heard(stream) == ("/sdv2/mix", 1.0)

    with describing(store, server) as query:
        talk(query, conversation)
    assert len(described) == 1


def test_a_storm_is_thinned_and_its_last_value_arrives(query: OscQuery, store: ParamStore) -> None:
    async def conversation(stream: aiohttp.ClientWebSocketResponse) -> None:
        await listen(stream, "/sdv2/noise_scale")
        await heard(stream)
        for step in range(5000):
            store.set("noise_scale", step / 5000, "midi")
        store.set("noise_scale", 0.5, "midi")
        answers = [await heard(stream)]
        while answers[-1] != ("/sdv2/noise_scale", 0.5):
            answers.append(await heard(stream))
        assert len(answers) < 500

    talk(query, conversation)


def test_aliases_text_steps_and_status_stream(query: OscQuery, store: ParamStore) -> None:
    async def conversation(stream: aiohttp.ClientWebSocketResponse) -> None:
        await listen(stream, "/sdv2/prompt/1/text", "/sdv2/steps", "/sdv2/status/fps")
        seen = {(await heard(stream))[0] for _ in range(3)}
        assert seen == {"/sdv2/prompt/1/text", "/sdv2/steps", "/sdv2/status/fps"}
        store.set("prompt", "ink é 墨", "midi")
        assert await heard(stream) == ("/sdv2/prompt/1/text", "ink é 墨")
        store.set("steps", [900, 300], "midi")
        assert await heard(stream) == ("/sdv2/steps", "900,300")

    talk(query, conversation)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"COMMAND": 1}', '{"COMMAND": "LISTEN", "DATA": {"a": 1}}', "[" * 50_000, '{"COMMAND": "DANCE", "DATA": 1}'],
)
def test_nonsense_costs_only_itself(text: str, query: OscQuery, store: ParamStore) -> None:
    async def conversation(stream: aiohttp.ClientWebSocketResponse) -> None:
        await stream.send_str(text)
        await listen(stream, "/sdv2/reset", "/sdv2/nothing", "/sdv2/seed")  # of these only the seed has a value
        assert await heard(stream) == ("/sdv2/seed", 42)

    talk(query, conversation)


def test_a_client_that_knows_the_tree_alone_can_subscribe(query: OscQuery) -> None:
    assert get(query, "/sdv2/subscribe?TYPE")[2] == {"TYPE": "I"}

    async def conversation(stream: aiohttp.ClientWebSocketResponse) -> None:
        await stream.send_bytes(b"/sdv2/subscribe\0,I\0\0")
        assert (await heard(stream))[0] in {f"/sdv2/{name}" for name in PARAMS}

    talk(query, conversation)


def test_osc_packets_by_websocket_play_and_are_answered(query: OscQuery, store: ParamStore) -> None:
    async def conversation(stream: aiohttp.ClientWebSocketResponse) -> None:
        await stream.send_bytes(build_msg("/sdv2/seed", [7]).dgram)
        await stream.send_bytes(build_msg("/sdv2/sed", [8]).dgram)
        assert (await heard(stream))[:2] == ("/sdv2/error", "/sdv2/sed")
        assert store.latest().seed == 7
        await stream.send_bytes(build_msg("/sdv2/subscribe", []).dgram)
        while (await heard(stream))[0] != "/sdv2/adapt_sink_threshold":
            pass

    talk(query, conversation)


def test_an_impulse_fires_a_trigger(query: OscQuery, store: ParamStore) -> None:
    async def conversation(stream: aiohttp.ClientWebSocketResponse) -> None:
        await stream.send_bytes(b"/sdv2/reset\0,I\0\0")
        await stream.send_bytes(build_msg("/sdv2/nothing", []).dgram)
        assert (await heard(stream))[:2] == ("/sdv2/error", "/sdv2/nothing")

    talk(query, conversation)
    assert store.snapshot().fired == {"reset"}


def test_changed_paths_are_told(query: OscQuery) -> None:
    async def conversation(stream: aiohttp.ClientWebSocketResponse) -> None:
        await listen(stream, "/sdv2/seed")
        await heard(stream)
        query.path_changed("/sdv2/preset")
        assert await stream.receive_json() == {"COMMAND": "PATH_CHANGED", "DATA": "/sdv2/preset"}

    talk(query, conversation)


def test_connections_are_bounded_and_one_host_keeps_no_other_out(query: OscQuery) -> None:
    async def run() -> None:
        url = f"ws://127.0.0.1:{query.http.port}/"
        async with asyncio.timeout(DEADLINE_S), aiohttp.ClientSession() as session:
            streams = [await session.ws_connect(url) for _ in range(MAX_OF_HOST)]
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await session.ws_connect(url)
            assert caught.value.status == 503
            elsewhere = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
            async with aiohttp.ClientSession(connector=elsewhere) as other:
                await (await other.ws_connect(url)).close()
            for stream in streams:
                await stream.close()

    asyncio.run(run())
    eventually("the server to notice that they left", lambda: not query.clients)


def test_a_client_that_vanishes_leaves_nothing_behind(query: OscQuery, store: ParamStore, server: OscServer) -> None:
    async def conversation(stream: aiohttp.ClientWebSocketResponse) -> None:
        await stream.send_bytes(build_msg("/sdv2/subscribe", []).dgram)
        await heard(stream)
        stream._response.connection.transport.abort()

    talk(query, conversation)
    eventually("the server to notice", lambda: not query.clients)
    store.set("seed", 7, "midi")
    assert server.counters.failures == 0


def test_port_in_use_names_the_key(server: OscServer, store: ParamStore) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            ConfigError, match=rf"^oscquery: 127\.0\.0\.1:{port} is in use .* as in --set oscquery\.port={port + 1}$"
        ):
            HttpServer(server.loop, server.host, port)


def test_other_networks_and_floods_are_refused(store: ParamStore, server: OscServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with describing(store, server) as query:
        monkeypatch.setattr(query.http.access, "may_send", lambda host: False)
        assert get(query, "/")[0] == 403
    monkeypatch.setattr("sdv2_live.control.http.server.MAX_RATE", 1)
    made: list[int] = []

    def page() -> tuple[bytes, str]:
        made.append(1)
        return b"sdv2_chunks_total 1", "text/plain"

    with describing(store, server, pages={"/metrics": page}) as query:
        assert 429 in {get(query, "/sdv2/seed")[0] for _ in range(8)}
        assert query.http.counters.flooded >= 1
        assert {get(query, "/metrics")[2] for _ in range(40)} == {"sdv2_chunks_total 1"}
        assert {get(query, "/?HOST_INFO")[0] for _ in range(8)} == {200}
    assert len(made) < 40  # a page that is asked for all the time is not made each time


def test_a_client_that_sends_more_than_osc_can_read_waits(
    store: ParamStore, server: OscServer, query: OscQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, add = threading.Event(), server._input.add
    monkeypatch.setattr(server._input, "add", lambda data, peer: reading.is_set() and add(data, peer))  # else there is no room
    packet = build_msg("/sdv2/prompt", ["x" * 3000]).dgram
    held = 0

    async def flood(stream: aiohttp.ClientWebSocketResponse) -> None:
        nonlocal held
        sent = 0
        try:
            while True:
                await asyncio.wait_for(stream.send_bytes(packet), 0.3)
                sent += len(packet)
                assert sent < 32 << 20
        except TimeoutError:
            held = query.http.counters.held
            assert get(query, "/sdv2/seed?VALUE")[0] == 200
            reading.set()
        stream._response.connection.transport.abort()

    async def other(stream: aiohttp.ClientWebSocketResponse) -> None:
        await stream.send_bytes(build_msg("/sdv2/seed", [7]).dgram)
        await listen(stream, "/sdv2/seed")
        while await heard(stream) != ("/sdv2/seed", 7):
            pass

    talk(query, flood)
    assert held >= 1
    talk(query, other)


def test_every_interface_and_ipv6(store: ParamStore) -> None:
    for host in ("0.0.0.0", "::1"):
        try:
            osc = OscServer(store, host, port=0)
        except ConfigError:
            pytest.skip(f"{host} cannot be had on this machine")
        with osc, describing(store, osc, identity=Identity(announce=True)) as query:
            name = "127.0.0.1" if host == "0.0.0.0" else "[::1]"
            with urllib.request.urlopen(f"http://{name}:{query.http.port}/?HOST_INFO", timeout=DEADLINE_S) as answer:
                assert json.load(answer)["OSC_PORT"] == osc.port
        assert query.http.counters.failures == 0


def test_close_without_start_and_twice(server: OscServer, store: ParamStore) -> None:
    http = HttpServer(server.loop, server.host)
    http.close()
    http.close()


class Found(ServiceListener):
    """Names and ports of the services that a browser sees."""

    def __init__(self) -> None:
        self.services: dict[str, tuple[int | None, list[str]]] = {}

    def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        info = zc.get_service_info(type_, name)
        if info is not None:
            self.services[name] = (info.port, info.parsed_addresses())

    def update_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        self.add_service(zc, type_, name)

    def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        self.services.pop(name, None)


def test_it_is_announced_and_withdrawn(store: ParamStore, server: OscServer) -> None:
    name = f"sdv2 é {server.port}"
    browser, found = Zeroconf(interfaces=["127.0.0.1"]), Found()
    try:
        ServiceBrowser(browser, ["_oscjson._tcp.local.", "_osc._udp.local."], found)
        with describing(store, server, identity=Identity(name, announce=True)) as query:
            wanted = {
                f"{name}._oscjson._tcp.local.": (query.http.port, ["127.0.0.1"]),
                f"{name}._osc._udp.local.": (server.port, ["127.0.0.1"]),
            }
            eventually("both services", lambda: found.services == wanted)
        eventually("their end", lambda: not found.services)
    finally:
        browser.close()


@pytest.fixture
def config() -> Config:
    return Config().replaced(osc=OscConfig(port=0))


def test_the_desk_brings_it_and_takes_it_down(config: Config) -> None:
    with ControlPlane(config) as desk:
        assert desk.osc is not None
        assert desk.oscquery is not None
        port = desk.oscquery.http.port
        assert get(desk.oscquery, "/?HOST_INFO")[2]["OSC_PORT"] == desk.osc.port
        presets = get(desk.oscquery, "/sdv2/preset?RANGE")[2]["RANGE"][0]["VALS"]
        assert presets == [preset.name for preset in desk.presets.presets]
    with socket.create_server(("127.0.0.1", port), reuse_port=False):
        pass


def test_the_desk_uses_the_number_of_the_osc_port() -> None:
    udp, tcp = bind_osc("127.0.0.1", 0, tcp=True)  # a number that is free for both
    assert tcp is not None
    port = udp.getsockname()[1]
    udp.close()
    tcp.close()
    desk = ControlPlane(Config().replaced(osc=OscConfig(port=port)))
    try:
        assert desk.oscquery is not None
        assert desk.oscquery.http.port == port
    finally:
        desk.close()


@pytest.mark.parametrize(
    ("chosen", "osc_port", "tcp", "port"),
    [(None, 9000, False, 9000), (None, 9000, True, 9001), (None, 0, True, 0), (0, 9000, False, 0)],
)
def test_which_port_it_takes(chosen: int | None, osc_port: int, tcp: bool, port: int) -> None:
    assert query_port(chosen, osc_port, tcp) == port


def test_the_desk_without_it(config: Config) -> None:
    for changed in (config.replaced(oscquery=OscQueryConfig(enabled=False)), config.replaced(osc=OscConfig(enabled=False))):
        with ControlPlane(changed) as desk:
            assert desk.oscquery is None


def test_a_port_in_use_leaves_nothing_open(config: Config) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=r"oscquery\.port="):
            ControlPlane(config.replaced(osc=OscConfig(port=port), oscquery=OscQueryConfig(port=port)))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind(("127.0.0.1", port))
