"""The page as browsers and other programs meet it: aiohttp's client against a real server."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from support.page_rig import BROWSER, JPEG, PageRig, asking, get, serving, talk, told
from support.waiting import eventually

from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.page.ticket import Ticket
from sdv2_live.control.store import ParamStore

TOKEN = "a-token-of-this-test"


@pytest.fixture
def rig(store: ParamStore, server: OscServer) -> Iterator[PageRig]:
    with serving(PageRig(store, server)) as rig:
        yield rig


@pytest.fixture
def locked(store: ParamStore, server: OscServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[PageRig]:
    """A server with a token, to which every request counts as another machine's."""
    monkeypatch.setattr("sdv2_live.control.page.ticket._from_here", lambda request: False)
    with serving(PageRig(store, server, TOKEN)) as rig:
        yield rig


def test_a_browser_gets_the_page_and_a_program_the_description(rig: PageRig) -> None:
    assert (get(rig, "/", Accept=BROWSER).kind, get(rig, "/?dock", Accept=BROWSER).kind) == ("text/html", "text/html")
    assert get(rig, "/?tab=prompts&still&token=x", Accept="text/html").kind == "text/html"
    for accept in (
        "*/*",
        "application/json",
        "",
        "text/plain, */*;q=0.1",
        "application/json, text/html;q=0.5",
        "text/html;q=0",
        "a;q=b",
    ):
        assert get(rig, "/", Accept=accept).kind == "application/json", accept
    assert json.loads(get(rig, "/", Accept="*/*").body)["FULL_PATH"] == "/"
    for path in ("/?HOST_INFO", "/HOST_INFO", "/?CONTENTS", "/sdv2", "/sdv2/noise_scale?VALUE", "/sdv2/prompt"):
        assert get(rig, path, Accept=BROWSER).kind == "application/json", path
    assert get(rig, "/?VALUE&dock", Accept=BROWSER).status == 400  # as before: there is no attribute 'dock'
    assert get(rig, "/", Accept="*/*").headers["Vary"] == get(rig, "/", Accept=BROWSER).headers["Vary"] == "Accept"


def test_the_page_may_talk_to_this_server_alone(rig: PageRig) -> None:
    for path in ("/", "/preview/output.jpg", "/page/index.html", "/page/none.js"):
        headers = get(rig, path, Accept=BROWSER).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["connect-src"] == f"'self' ws://127.0.0.1:{rig.http.port} wss://127.0.0.1:{rig.http.port}"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Content-Security-Policy" not in get(rig, "/sdv2").headers


def test_files_are_those_of_the_package_and_kept_by_browsers(rig: PageRig) -> None:
    index = get(rig, "/page/index.html")
    assert (index.status, index.kind) == (200, "text/html")
    assert index.headers["Cache-Control"] == "no-cache"
    again = get(rig, "/page/index.html", If_None_Match=index.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    assert get(rig, "/page/index.html", If_None_Match='"other"').status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/page/%2e%2e/__init__.py", "/page/..%2f..%2f..%2fetc%2fpasswd", "/page//etc/passwd",
        "/page/C:%5cx", "/page/../__init__.py",
        "/page/%00", "/preview/../page/live", "/preview/output.png", "/preview/other.jpg", "/page/",
    ],
)  # fmt: skip
def test_no_path_reaches_the_file_system(path: str, rig: PageRig) -> None:
    assert get(rig, path, Accept=BROWSER).status in (400, 404)
    assert not rig.pictures.looks


def test_one_picture_and_its_limits(rig: PageRig) -> None:
    answer = get(rig, "/preview/output.jpg?width=500")
    assert (answer.status, answer.kind, answer.body) == (200, "image/jpeg", JPEG)
    assert (rig.pictures.looks[0].kind, rig.pictures.looks[0].width) == ("output", 640)
    get(rig, "/preview/input.jpg?width=1e9")
    get(rig, "/preview/input.jpg?width=-5")
    assert [(look.kind, look.width) for look in rig.pictures.looks[1:]] == [("input", 1280), ("input", 160)]
    for wrong in ("width=wide", "width=nan", "width=0x10"):
        assert get(rig, f"/preview/output.jpg?{wrong}").status == 400
    eventually("all looks are over", lambda: not rig.pictures.open)


def test_a_stream_of_pictures(rig: PageRig) -> None:
    async def run() -> None:
        async with asking(rig, "/preview/output.mjpg?width=320&rate=1e5") as answer:
            reader = aiohttp.MultipartReader.from_response(answer)
            for _ in range(3):
                part = await reader.next()
                assert isinstance(part, aiohttp.BodyPartReader)
                assert part.headers["Content-Type"] == "image/jpeg"
                assert await part.read() == JPEG

    asyncio.run(run())
    (look,) = rig.pictures.looks
    assert (look.width, look.rate) == (320, 30.0)
    eventually("it looks no longer", lambda: look.closed)


def test_lists_come_whole_at_once_and_after_a_change(rig: PageRig) -> None:
    items = ["one"]
    changed = rig.lists.add("things", lambda: {"items": items})
    rig.lists.add("past", lambda: {"points": [1]}, fresh=True)

    async def conversation(stream: aiohttp.ClientWebSocketResponse) -> None:
        first = [json.loads(await stream.receive_str()) for _ in range(2)]
        assert first == [{"kind": "things", "items": ["one"]}, {"kind": "past", "points": [1]}]
        items.append("two")
        changed()
        assert await told(stream, "things") == {"kind": "things", "items": ["one", "two"]}
        changed()  # nothing is another
        rig.lists.changed("past")
        items.append("é 墨")
        changed()
        assert json.loads(await stream.receive_str()) == {"kind": "things", "items": ["one", "two", "é 墨"]}

    talk(rig, conversation)


def test_many_changes_are_told_few_times_and_the_last_one_always(rig: PageRig) -> None:
    count = 0
    changed = rig.lists.add("count", lambda: {"count": count})

    async def conversation(stream: aiohttp.ClientWebSocketResponse) -> None:
        nonlocal count
        heard = [(await told(stream, "count"))["count"]]
        for count in range(1, 2001):
            changed()
            if count % 100 == 0:
                await asyncio.sleep(0)
        while heard[-1] != 2000:
            heard.append((await told(stream, "count"))["count"])
        assert len(heard) < 50

    talk(rig, conversation)


def test_a_list_that_cannot_be_made_costs_only_itself(rig: PageRig, caplog: pytest.LogCaptureFixture) -> None:
    broken = rig.lists.add("broken", lambda: {"value": 1 / broken_by})
    fine = rig.lists.add("fine", lambda: {"value": value})
    broken_by, value = 1, 1

    async def conversation(stream: aiohttp.ClientWebSocketResponse) -> None:
        nonlocal broken_by, value
        await told(stream, "fine")
        broken_by = 0
        broken()
        await asyncio.to_thread(eventually, "it is counted", lambda: rig.http.counters.failures == 1)
        value = 2
        fine()
        assert (await told(stream, "fine"))["value"] == 2

    talk(rig, conversation)
    rig.http.counters.failures = 0  # as this is what was tried
    assert "'broken'" in caplog.text


def test_pictures_come_one_for_each_that_was_seen(rig: PageRig) -> None:
    async def conversation(stream: aiohttp.ClientWebSocketResponse) -> None:
        await stream.send_json({"pictures": {"output": {"width": 640, "rate": 12}, "input": {"width": 240}}})
        assert sorted([await stream.receive_bytes(), await stream.receive_bytes()]) == [b"\0" + JPEG, b"\1" + JPEG]
        await stream.send_json({"seen": "output"})
        assert await stream.receive_bytes() == b"\0" + JPEG
        assert [(look.kind, look.width, look.rate) for look in rig.pictures.looks] == [
            ("output", 640, 12.0),
            ("input", 240, 12.0),
        ]
        await stream.send_json({"pictures": {"output": {"width": 640, "rate": 12}, "input": None}})
        await asyncio.to_thread(
            eventually, "the input is not looked at", lambda: [one.kind for one in rig.pictures.open] == ["output"]
        )
        await stream.send_json({"pictures": {}})
        await asyncio.to_thread(eventually, "nothing is looked at", lambda: not rig.pictures.open)

    talk(rig, conversation)


@pytest.mark.parametrize(
    "said",
    [
        "", "no json", "[]", "3", "{}", '{"seen": 3}', '{"seen": "other"}', '{"pictures": 3}', '{"pictures": {"other": {}}}',
        '{"pictures": {"output": {"width": "wide"}}}', '{"pictures": {"output": {"depth": 3}}}', '{"pictures": {"output": 7}}',
        '{"pictures": {"output": {"width": NaN}}}', '{"pictures": {"output": {"rate": true}}}', "[" * 4000, "1" * 4000,
    ],
)  # fmt: skip
def test_nonsense_is_answered_and_costs_only_itself(said: str, rig: PageRig) -> None:
    async def conversation(stream: aiohttp.ClientWebSocketResponse) -> None:
        await stream.send_str(said)
        assert (await told(stream, "mistake"))["text"]
        await stream.send_bytes(b"\0")
        assert (await told(stream, "mistake"))["text"]
        await stream.send_json({"pictures": {"output": {"rate": 10**300}}})
        assert (await stream.receive_bytes())[1:] == JPEG

    talk(rig, conversation)


def test_other_origins_and_names_are_refused_everywhere(rig: PageRig) -> None:
    for path in ("/", "/page/index.html", "/preview/output.jpg", "/preview/output.mjpg"):
        assert get(rig, path, Accept=BROWSER, Origin="http://evil.example").status == 403
        assert get(rig, path, Accept=BROWSER, Host="evil.example").status == 403
        assert get(rig, path, Accept=BROWSER, Sec_Fetch_Site="cross-site").status == 403
    for path in ("/", "/page/live"):
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            talk(rig, _nothing, path, Origin="http://evil.example")
    assert not rig.pictures.looks


async def _nothing(stream: aiohttp.ClientWebSocketResponse) -> None:
    return


def test_without_its_token_nothing_of_the_page_is_given(locked: PageRig) -> None:
    for path in (
        "/",
        "/?token=wrong",
        "/?token=",
        "/page/index.html",
        "/page/none",
        "/preview/output.jpg",
        "/preview/output.mjpg",
    ):
        answer = get(locked, path, Accept=BROWSER)
        assert answer.status == 401, path
        assert b"token" in answer.body
        assert "Set-Cookie" not in answer.headers
    for wrong in ({"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}, {"Cookie": "sdv2_token_1=x"}):
        assert get(locked, "/preview/output.jpg", **wrong).status == 401
    for path in ("/page/live", "/"):
        with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
            talk(locked, _nothing, path, Origin=locked.url)
    assert not locked.pictures.looks
    assert locked.http.counters.tokenless == 12


def test_the_token_once_and_then_its_cookie(locked: PageRig) -> None:
    page = get(locked, f"/?token={TOKEN}", Accept=BROWSER)
    assert (page.status, page.kind) == (200, "text/html")
    cookie, *flags = (part.strip() for part in page.headers["Set-Cookie"].split(";"))
    assert cookie == f"sdv2_token_{locked.http.port}={TOKEN}"
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(flags)
    for brought in ({"Cookie": cookie}, {"Authorization": f"Bearer {TOKEN}"}):
        assert get(locked, "/", Accept=BROWSER, **brought).status == 200
        assert get(locked, "/preview/output.jpg", **brought).body == JPEG
        talk(locked, _nothing, Origin=locked.url, **brought)
        talk(locked, _nothing, "/", Origin=locked.url, **brought)
    assert get(locked, f"/preview/output.jpg?token={TOKEN}").body == JPEG


def test_programs_need_no_token_for_what_osc_gives_them_anyway(locked: PageRig, store: ParamStore) -> None:
    assert json.loads(get(locked, "/").body)["FULL_PATH"] == "/"
    assert get(locked, "/?HOST_INFO").status == get(locked, "/sdv2/noise_scale", Accept=BROWSER).status == 200

    async def conversation(stream: aiohttp.ClientWebSocketResponse) -> None:
        await stream.send_json({"COMMAND": "LISTEN", "DATA": "/sdv2/noise_scale"})
        assert (await stream.receive_bytes()).startswith(b"/sdv2/noise_scale")

    talk(locked, conversation, "/")


def test_this_machine_needs_no_token_by_a_name_of_its_own(store: ParamStore, server: OscServer) -> None:
    rig = PageRig(store, server, TOKEN)
    with serving(rig):
        for host in ("127.0.0.1", "localhost", "[::1]"):
            assert get(rig, "/", Accept=BROWSER, Host=f"{host}:{rig.http.port}").status == 200
        own = "127.0.0.1.", "0.0.0.0"
        assert {get(rig, "/", Accept=BROWSER, Host=f"{host}:{rig.http.port}").status for host in own} == {401}


def test_a_token_outlives_the_show_that_made_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def made(folder: Path | None = tmp_path / "state") -> str:
        return Ticket.configured("auto", "0.0.0.0", 9000, folder).token

    assert made() == made() != made(None)
    file = tmp_path / "state" / "page-token"
    assert file.stat().st_mode & 0o077 == 0 or os.name == "nt"
    for broken in ("", "short", "with a blank in it", "é" * 20):
        file.write_text(broken, encoding="utf-8")
        assert len(made()) >= 16
    (tmp_path / "file").write_text("")
    assert len(made(tmp_path / "file")) >= 16  # no folder can be made there
    assert "the page's token cannot be kept" in caplog.text


def test_what_is_no_websocket_is_told_so(rig: PageRig) -> None:
    assert get(rig, "/page/live", Accept=BROWSER).status == 400


def test_a_folder_of_files(tmp_path: Path) -> None:
    from sdv2_live.control.page.files import assets

    (tmp_path / "icons").mkdir()
    (tmp_path / "icons" / "a.svg").write_text("<svg/>")
    (tmp_path / "app.js").write_text("export {};")
    (tmp_path / "secret.py").write_text("")
    assert {name: asset.kind for name, asset in assets(tmp_path).items()} == {
        "app.js": "text/javascript; charset=utf-8",
        "icons/a.svg": "image/svg+xml",
    }


@pytest.mark.parametrize(
    ("setting", "host", "asked"),
    [("auto", "127.0.0.1", False), ("auto", "::1", False), ("auto", "0.0.0.0", True), ("auto", "192.168.1.5", True),
     ("none", "0.0.0.0", False), ("my-own-token", "0.0.0.0", True), ("my-own-token", "127.0.0.1", True)],
)  # fmt: skip
def test_who_needs_a_token(setting: str, host: str, asked: bool) -> None:
    ticket = Ticket.configured(setting, host, 9000)
    assert bool(ticket.token) == asked
    if setting == "auto" and asked:
        assert len(ticket.token) >= 16
        assert ticket.token != Ticket.configured(setting, host, 9000).token
