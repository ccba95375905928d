"""Who may subscribe and unsubscribe whom, who gives way, and what a subscriber is told of its own changes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import Any

import pytest

from sdv2_live.control.access import Access
from sdv2_live.control.osc.news import Outbox
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.osc.subscriber import REFUSES_S, Peer, Subscriber
from sdv2_live.control.osc.subscriptions import MAX_SUBSCRIBERS, Subscriptions
from sdv2_live.control.store import ParamStore
from sdv2_live.errors import ParamError

TABLET = "192.168.1.20"
DESK = "192.168.1.30"


def peer(host: str, port: int) -> Peer:
    return Peer(host, port, lambda data: None)


class Table:
    """Subscriptions under a clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0
        self.gone: list[Peer] = []
        access = Access([f"{DESK}/32"], 100, "osc.allow")
        self.all = Subscriptions(access, lambda: self.now, lambda host, port: port == 9000, lambda one, _: self.gone.append(one))

    def fill(self, host: str, count: int) -> list[Peer]:
        """Programs that subscribed themselves, a second after one another."""
        programs = [peer(host, 40_000 + number) for number in range(count)]
        for one in programs:
            self.now += 1
            self.all.subscribe(one, one)
        return programs

    @property
    def targets(self) -> set[Peer]:
        return {one.target for one in self.all}


@pytest.fixture
def table() -> Table:
    return Table()


def test_while_there_is_room_nobody_is_cut_off(table: Table) -> None:
    listening = table.fill(TABLET, MAX_SUBSCRIBERS)
    table.now += 1e6
    assert table.targets == set(listening)


def test_the_one_silent_longest_gives_way(table: Table) -> None:
    first, second, *_ = table.fill(TABLET, MAX_SUBSCRIBERS)
    table.now += 1
    table.all.heard(first)
    new = peer(TABLET, 9)
    table.all.subscribe(new, new)
    assert table.gone == [second]
    assert new in table.targets


def test_one_that_refuses_gives_way_before_one_that_is_silent(table: Table) -> None:
    programs = table.fill(TABLET, MAX_SUBSCRIBERS)
    table.all.refused(TABLET, programs[-1].port)
    new = peer(TABLET, 9)
    table.all.subscribe(new, new)
    assert table.gone == [programs[-1]]


def test_a_host_with_many_gives_way_before_one_with_few(table: Table) -> None:
    tablet = table.fill(TABLET, 1)
    crowd = table.fill(DESK, MAX_SUBSCRIBERS - 1)
    for port in range(60_000, 60_000 + MAX_SUBSCRIBERS):
        table.now += 1
        table.all.subscribe(peer(DESK, port), peer(DESK, port))
    assert tablet[0] in table.targets
    assert table.gone[: len(crowd)] == crowd


def test_a_program_with_many_ports_gives_way_before_one_with_few(table: Table) -> None:
    screen = table.fill(TABLET, 1)[0]
    greedy = peer(TABLET, 50_000)
    for port in range(1024, 1024 + 3 * MAX_SUBSCRIBERS):
        table.now += 1
        table.all.subscribe(peer(TABLET, port), greedy)
    assert screen in table.targets
    assert len(table.targets) == MAX_SUBSCRIBERS


def test_those_of_the_configuration_stay(table: Table) -> None:
    listed = [peer(TABLET, port) for port in range(1, MAX_SUBSCRIBERS + 1)]
    for one in listed:
        table.all.configured(one)
    for _ in range(100):
        table.now += 1
        table.all.refused(TABLET, 1)
    with pytest.raises(ParamError, match=r"all of them listed in osc\.subscribers"):
        table.all.subscribe(peer(TABLET, 99), peer(TABLET, 99))
    assert table.targets == set(listed)


def test_a_port_that_keeps_refusing_is_dropped(table: Table) -> None:
    gone, back = table.fill(TABLET, 2)
    for _ in range(int(REFUSES_S) + 1):
        table.now += 1
        table.all.refused(TABLET, gone.port)
        table.all.refused(TABLET, back.port)
        table.all.heard(back)
    assert table.gone == [gone]
    assert table.targets == {back}


def test_refusals_that_ended_do_not_count(table: Table) -> None:
    (program,) = table.fill(TABLET, 1)
    for _ in range(10):  # each time it is started anew
        table.all.refused(TABLET, program.port)
        table.now += REFUSES_S
    assert table.targets == {program}


@pytest.mark.parametrize(
    ("target", "owner", "sender", "may"),
    [
        ((TABLET, 1), (TABLET, 1), (TABLET, 1), True),
        ((TABLET, 1), (TABLET, 1), (TABLET, 2), False),  # another program of the same host
        ((TABLET, 1), (TABLET, 1), (DESK, 1), False),
        ((TABLET, 9001), (TABLET, 1), (TABLET, 1), True),
        ((TABLET, 9001), (TABLET, 1), (TABLET, 2), True),  # as of a program that sends from a new port each time
        ((TABLET, 9001), (TABLET, 1), (TABLET, 9001), True),
        ((TABLET, 9001), (TABLET, 1), (DESK, 1), False),
        ((DESK, 9001), (TABLET, 1), (DESK, 5), True),
        ((DESK, 9001), (TABLET, 1), (TABLET, 5), True),
        ((DESK, 9001), (TABLET, 1), ("192.168.1.40", 5), False),
    ],
)
def test_who_may_end_a_subscription(
    target: tuple[str, int], owner: tuple[str, int], sender: tuple[str, int], may: bool, table: Table
) -> None:
    table.all.subscribe(peer(*target), peer(*owner))
    if may:
        table.all.unsubscribe(peer(*target), peer(*sender))
        assert not table.targets
    else:
        with pytest.raises(ParamError, match="was subscribed by another program, which alone can end that"):
            table.all.unsubscribe(peer(*target), peer(*sender))


def test_a_subscription_cannot_be_taken_over(table: Table) -> None:
    mine, other = peer(TABLET, 1), peer(DESK, 2)
    table.all.subscribe(mine, mine)
    with contextlib.suppress(ParamError):
        table.all.subscribe(mine, other)
    with pytest.raises(ParamError):
        table.all.unsubscribe(mine, other)


def test_a_program_that_was_started_anew_owns_its_port(table: Table) -> None:
    ear, before, after, other = peer(TABLET, 9001), peer(TABLET, 1), peer(TABLET, 2), peer(TABLET, 9002)
    table.all.subscribe(ear, before)
    table.all.subscribe(other, peer(TABLET, 3))
    table.all.subscribe(ear, after)
    assert [one.target for one in table.all.of(after)] == [ear]
    assert table.all.of(before) == []
    assert table.all.also(peer(TABLET, 3)) == [other]


def told(subscriber: Subscriber, value: float, now: float) -> bool:
    subscriber.pending = Outbox()
    return subscriber.owed("/sdv2/mix", (value,), now)


def test_a_value_that_the_other_end_holds_is_not_sent() -> None:
    one = Subscriber(peer(TABLET, 1), peer(TABLET, 1), 0)
    assert told(one, 0.1, 0)
    assert not told(one, 0.1, 1)
    assert not one.says("/sdv2/mix", (0.3,), 10)  # long after: nothing has crossed
    assert not told(one, 0.30000001192092896, 10)  # as it travelled
    assert told(one, 0.5, 11)
    one.start_over()
    assert told(one, 0.5, 12)


def test_who_insists_on_a_value_out_of_range_is_answered_once() -> None:
    one = Subscriber(peer(TABLET, 1), peer(TABLET, 1), 0)
    answers = 0
    for step in range(100):
        one.says("/sdv2/mix", (3.0,), 10 + step)
        one.mark("/sdv2/mix", own=True)
        answers += told(one, 1.0, 10 + step)
    assert answers == 1
    one.mark("/sdv2/mix")
    assert told(one, 0.5, 200)  # somebody else's
    one.says("/sdv2/mix", (3.0,), 300)
    one.mark("/sdv2/mix", own=True)
    assert told(one, 1.0, 300)


def test_what_crossed_on_its_way_is_confirmed() -> None:
    one = Subscriber(peer(TABLET, 1), peer(TABLET, 1), 0)
    told(one, 0.1, 0)
    told(one, 0.2, 5)
    assert one.says("/sdv2/mix", (0.9,), 5.01)
    one.mark_again("/sdv2/mix")
    assert told(one, 0.9, 5.2)
    assert not one.says("/sdv2/mix", (0.9,), 5.21)  # it agrees


@pytest.mark.parametrize(
    ("address", "given", "answered"),
    [
        ("transition_chunks", 7.6, ("transition_chunks", 8)),
        ("interpolation", 1, ("interpolation", "slerp")),
        ("adapt_sink_threshold/norm", 0.75, ("adapt_sink_threshold", 0.5)),
        ("transition_chunks/midi", 127, ("transition_chunks", 64)),
        ("steps", "900,300", ("steps", 900, 300)),
        ("seed", "7", ("seed", 7)),
        ("freeze", "on", ("freeze", 1)),
    ],
)
def test_a_sender_hears_what_became_another_value(address: str, given: Any, answered: tuple[Any, ...], client: Any) -> None:
    client.send("/sdv2/subscribe")
    client.dump()
    client.send(f"/sdv2/{address}", given)
    assert client.answer() == (f"/sdv2/{answered[0]}", *answered[1:])


def test_a_sender_hears_of_its_own_changes_where_that_is_asked_for(
    store: ParamStore, client_of: Callable[[int], Any], wait: Any
) -> None:
    with OscServer(store, port=0, echo=True) as server:
        client = client_of(server.port)
        client.send("/sdv2/subscribe")
        client.dump()
        client.send("/sdv2/mix", 0.25)
        assert client.answer() == ("/sdv2/mix", 0.25)
        client.send("/sdv2/mix", 0.25)  # as a program that answers what it hears
        client.send("/sdv2/reset")
        client.send("/sdv2/seed", 7)
        assert client.answer() == ("/sdv2/seed", 7)  # and neither of the others before it


def test_renewing_keeps_what_waits(store: ParamStore, client: Any, wait: Any) -> None:
    client.send("/sdv2/subscribe")
    client.dump()
    client.send("/sdv2/dump")  # more than goes out at once
    client.answer()
    store.set("mix", 0.5, "midi")
    store.snapshot(17)
    client.send("/sdv2/subscribe")
    assert ("/sdv2/applied/mix", 17) in client.until("/sdv2/applied/mix", 17)


def test_programs_that_ended_keep_no_new_one_out(server: OscServer, new_client: Callable[[], Any], wait: Any) -> None:
    for _ in range(MAX_SUBSCRIBERS + 8):
        with contextlib.closing(new_client().socket) as ended:
            before = server.counters.messages
            ended.sendto(b"/sdv2/subscribe\0,\0\0\0", ("127.0.0.1", server.port))
            wait(lambda before=before: server.counters.messages > before)
    late = new_client()
    late.send("/sdv2/subscribe")
    assert late.answer()[0] == "/sdv2/prompt"
    assert server.counters.given_up >= 9


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says which port refused")
def test_a_message_reaches_its_subscriber_whatever_port_refuses(
    store: ParamStore, server: OscServer, new_client: Callable[[], Any], wait: Any
) -> None:
    listening = new_client()
    for _ in range(8):
        with contextlib.closing(new_client().socket) as ended:
            before = server.counters.messages
            ended.sendto(b"/sdv2/subscribe\0,\0\0\0", ("127.0.0.1", server.port))
            wait(lambda before=before: server.counters.messages > before)
    listening.send("/sdv2/subscribe")
    listening.dump()
    for seed in range(20):
        store.set("seed", seed, "midi")
        assert listening.answer() == ("/sdv2/seed", seed)


def test_the_same_port_of_several_programs(store: ParamStore, new_client: Callable[[], Any]) -> None:
    """Two programs of one host that listen at ports of their own: each hears the other's changes, and not its own."""
    (one, ear), (two, other_ear) = ((new_client(), new_client()) for _ in range(2))
    for hand, listening in ((one, ear), (two, other_ear)):
        hand.send("/sdv2/subscribe", listening.port)
        listening.dump()
    one.send("/sdv2/seed", 7)
    assert other_ear.answer() == ("/sdv2/seed", 7)
    two.send("/sdv2/seed", 8)
    assert ear.answer() == ("/sdv2/seed", 8)
    two.send("/sdv2/sed", 8)
    assert other_ear.answer()[:2] == ("/sdv2/error", "/sdv2/sed")
    one.send("/sdv2/dump")
    assert ear.answer()[0] == "/sdv2/prompt"
