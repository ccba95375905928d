"""What hangs in a foreign library or on a disk that has gone keeps no part of a show from closing, and is named."""

from __future__ import annotations

import threading
import urllib.request
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest
from pythonosc.udp_client import SimpleUDPClient
from support.fakes import FakeSink, FakeSource
from support.waiting import DEADLINE_S, eventually

from sdv2_live import threads
from sdv2_live.config.load import load_config
from sdv2_live.config.schema import Config
from sdv2_live.control.http.server import HttpServer, page_route
from sdv2_live.control.loop import ControlLoop
from sdv2_live.control.osc.client import DaemonClient
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.presets.keeper import PresetKeeper
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.store import ParamStore
from sdv2_live.control.timeline.files import load_timeline
from sdv2_live.engine.prompt_cache import PromptCache
from sdv2_live.frame import Frame
from sdv2_live.live.failover import Failover
from sdv2_live.live.input_health import InputHealth
from sdv2_live.live.input_policy import Policy
from sdv2_live.live.playout import Playout
from sdv2_live.live.reader import SourceReader
from sdv2_live.show import inputs
from sdv2_live.show.control_plane import ControlPlane
from sdv2_live.show.journal import Journal
from sdv2_live.show.show import Show
from sdv2_live.stats import Counters
from sdv2_live.takes import recorder
from sdv2_live.takes.format import Header
from sdv2_live.threads import OneThread, started


@dataclass
class Hang:
    """Called in place of what hangs: says that a thread is in it, and lets it go when the test is over."""

    entered: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)

    def __call__(self, *_: object) -> Any:
        self.entered.set()
        self.let_go.wait(DEADLINE_S)
        raise OSError("the device came back when the show was over")


class Part(Protocol):
    """What is closed at the end of a show."""

    def close(self) -> None: ...


@pytest.fixture
def hang(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hang]:
    monkeypatch.setattr(threads, "END_S", 0.05)
    monkeypatch.setattr(threads, "WRITE_S", 0.05)
    hang = Hang()
    before = set(threading.enumerate())
    yield hang
    hang.let_go.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(DEADLINE_S)


class HangingSource(FakeSource):
    """Never returns from its first `read`, nor from a `close` that would wait for that."""

    def __init__(self, hang: Hang) -> None:
        super().__init__([])
        self._hang = hang

    def read(self, timeout: float) -> Frame | None:
        self._hang()
        return None

    @property
    def ended(self) -> bool:
        return False


def failover(hang: Hang, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Part:
    part = Failover(HangingSource(hang), Policy(), Counters())
    part.start(lambda frame: None)
    return part


def reader(hang: Hang, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Part:
    part = SourceReader(HangingSource(hang), InputHealth(since=0), threading.Lock(), lambda reader: None, Counters())
    part.start()
    return part


def playout_close(hang: Hang, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Part:
    sink = FakeSink()
    monkeypatch.setattr(sink, "close", hang)
    part = Playout(sink, Counters())
    part.start()
    hang.entered.set()  # nothing hangs before the end
    return part


def recording(hang: Hang, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Part:
    monkeypatch.setattr(recorder, "TakeWriter", hang)
    store = ParamStore()
    store.set("record", True, "test")
    part = recorder.Recorder(Config(), store, Counters())
    part.start(Header.model_construct())
    return part


def prompts(hang: Hang, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Part:
    class Encoder:
        encode = staticmethod(hang)

    part = PromptCache(Encoder())
    part.request("a dancer")
    return part


def midi(hang: Hang, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Part:
    server = OscServer(ParamStore(), port=0)
    server.start()
    part = DaemonClient("127.0.0.1", server.port, hang)
    part.tick(0.0)
    assert hang.entered.wait(DEADLINE_S)  # by what a subscriber is sent first
    server.close()
    return part


def osc(hang: Hang, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Part:
    part = OscServer(ParamStore(), port=0, actions={"preset/save": hang})
    part.start()
    SimpleUDPClient("127.0.0.1", part.port).send_message("/sdv2/preset/save", ["a look"])
    return part


def http(hang: Hang, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Part:
    part = HttpServer(ControlLoop(lambda: None), "127.0.0.1")
    part.add_routes([page_route("/hang", hang)])
    part.start()
    threading.Thread(target=_get, args=(f"http://127.0.0.1:{part.port}/hang",), daemon=True).start()
    return part


def _get(url: str) -> None:
    with suppress(OSError):
        urllib.request.urlopen(url, timeout=DEADLINE_S).read()


def presets(hang: Hang, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Part:
    library = PresetLibrary(folder)
    monkeypatch.setattr(library, "load", hang)
    part = PresetKeeper(library)
    part.start()
    part.reload()
    return part


def journal(hang: Hang, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Part:
    monkeypatch.setattr("os.fsync", hang)
    part = Journal(folder / "show.json", ParamStore())
    part.start()
    return part


def timeline(hang: Hang, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Part:
    (folder / "timeline.yaml").write_text("events:\n- at: 0.1\n  set: {prompt: rain}\n")
    part = ControlPlane(
        load_config(None, ["osc.enabled=false", "state.dir=off"]), timeline=load_timeline(folder / "timeline.yaml")
    )
    part.store.add_listener(lambda change: hang() if "prompt" in change.values else None)
    part.start()
    return part


PARTS = (failover, reader, playout_close, recording, prompts, midi, osc, http, presets, journal, timeline)


@pytest.mark.parametrize("made", PARTS, ids=lambda made: made.__name__)
def test_a_thread_that_hangs_is_left_behind(
    made: Callable[[Hang, Path, pytest.MonkeyPatch], Part],
    hang: Hang,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    part = made(hang, tmp_path, monkeypatch)
    assert hang.entered.wait(DEADLINE_S)
    caplog.clear()  # what else had to end may have been late on a busy machine
    closing, _ = started("closing", part.close)
    closing.join(DEADLINE_S)
    assert not closing.is_alive()
    assert [record.levelname for record in caplog.records if "it is left behind" in record.message] == ["ERROR"]
    source = getattr(part, "source", None)
    assert source is None or source.closed == 0  # a thread is still inside it


def test_a_show_ends_though_its_camera_hangs(
    hang: Hang, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = HangingSource(hang)
    monkeypatch.setattr(inputs, "open_source", lambda *args, **more: source)
    parts = ("model.profile=tiny", "model.device=cpu", "engine.process=inline", "output.sink=none", "osc.enabled=false")
    show = Show(load_config(None, [*parts, "model.prompt_cache=off", "state.dir=off"]))
    show.input.start(show.intake.accept)
    assert hang.entered.wait(DEADLINE_S)
    closing, done = started("closing", show.close)
    closing.join(DEADLINE_S)
    assert done.result(0) is None
    assert "'input fake' did not end" in caplog.text
    assert source.closed == 0


def test_a_backup_that_cannot_be_opened_leaves_the_main_input_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = iter([main := FakeSource([])])
    monkeypatch.setattr(inputs, "open_source", lambda *args, **more: next(sources))
    with pytest.raises(StopIteration):
        inputs.guarded(load_config(None, ["input.backup=test"]), [], Counters(), lambda: "auto", lambda held: None)
    assert main.closed == 1


def test_the_interpreter_waits_for_no_thread_that_makes_calls(hang: Hang, caplog: pytest.LogCaptureFixture) -> None:
    thread = OneThread("spout:hangs")
    done = thread.submit(hang)
    assert hang.entered.wait(DEADLINE_S)
    thread.close()
    assert "'spout:hangs' did not end" in caplog.text
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "spout:hangs")
    hang.let_go.set()
    with pytest.raises(OSError, match="came back"):
        done.result(DEADLINE_S)


def test_calls_are_made_in_turn_and_what_one_raises_goes_to_whoever_waits_for_it() -> None:
    thread, made = OneThread("calls"), list[tuple[int, str]]()

    def call(number: int) -> int:
        made.append((number, threading.current_thread().name))
        return 12 // number

    results = [thread.submit(call, number) for number in (3, 0, 4)]
    assert [result.result(DEADLINE_S) for result in (results[0], results[2])] == [4, 3]
    with pytest.raises(ZeroDivisionError):
        results[1].result(DEADLINE_S)
    assert thread(call, 6) == 2
    thread.close()
    assert made == [(number, "calls") for number in (3, 0, 4, 6)]
    assert not any(thread.name == "calls" for thread in threading.enumerate())


def test_a_thread_ends_with_its_last_user_and_keeps_nothing_that_was_called() -> None:
    thread, gone = OneThread("forgotten"), threading.Event()

    class Work:
        def __call__(self) -> None:
            pass

    work = Work()
    weakref.finalize(work, gone.set)
    done = thread.submit(work)
    done.result(DEADLINE_S)
    del work, done
    assert gone.wait(DEADLINE_S)
    del thread
    eventually("its end", lambda: not any(thread.name == "forgotten" for thread in threading.enumerate()))
