"""Where ranks and their leader find each other: a sentence for whatever is not as it should be."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
import torch
from support.places import ROOT
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from sdv2_live.errors import ConfigError, EngineError, GroupLostError
from sdv2_live.ranks import group as groups
from sdv2_live.ranks import guest, meeting
from sdv2_live.ranks.guest import Guest, greeting
from sdv2_live.ranks.meeting import Meeting

HERE = "127.0.0.1"


def nobody() -> str:
    """What a leader hears of ranks of its own machine that have ended: nothing."""
    return ""


@pytest.fixture
def port() -> Iterator[int]:
    """Where a leader waits for one rank of another machine, and has one beside it on its own."""
    listener = socket.create_server((HERE, 0))
    one = Meeting(listener, 3, 2)
    yield listener.getsockname()[1]
    one.close()


def come(port: int, number: int = 1, *, child: bool = False) -> Guest:
    return Guest(HERE, port, number, child=child)


def test_ranks_of_other_machines_are_counted_from_one(port: int) -> None:
    with closing(come(port)) as first, closing(come(port, child=True)) as own:
        assert (first.rank, own.rank, first.size) == (2, 1, 3)
    with pytest.raises(ConfigError, match="there is no number 2: the show waits for 1 ranks of other machines; start fewer"):
        come(port, 2)


def test_a_number_that_another_process_has(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(come(port)):
        with pytest.raises(GroupLostError, match="the group that it was in has not ended yet"):
            come(port)
        monkeypatch.setattr("os.getpid", lambda: 1)
        with pytest.raises(GroupLostError, match=r"process .* has the number 1 already: give each process a --rank of its own"):
            come(port)


def test_another_version() -> None:
    with socket.create_server((HERE, 0)) as listener:
        one = Meeting(listener, 2, 1)
        one._line = one._line.replace(b'"torch":"', b'"torch":"0.')
        with pytest.raises(ConfigError, match=r"it has torch \d.*, the leader 0\..*: install the same on all machines"):
            come(listener.getsockname()[1])
        with pytest.raises(ConfigError, match=r"rank 1 \(.+\): it has torch"):
            one.loaded(1, nobody)
        one.close()


def test_a_rank_that_cannot_load_and_one_that_says_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((HERE, 0)) as listener:
        one = Meeting(listener, 3, 1)
        monkeypatch.setattr(meeting, "COME_S", 0.3)
        with pytest.raises(GroupLostError, match=r"rank 1 of 3 has not come within 0 s: start it on its machine"):
            one.assembled(nobody)
        monkeypatch.setattr(guest, "BEAT_S", 0.05)
        at = listener.getsockname()[1]
        with closing(come(at)) as first, closing(come(at, 2)) as second:
            monkeypatch.setattr(meeting, "COME_S", 5.0)
            one.assembled(nobody)
            second.fail(EngineError("there is no room"))
            with pytest.raises(EngineError, match=r"rank 2 \(.+\): there is no room"):
                one.loaded(2, nobody)
            threading.Timer(0.5, first.say, ("ready", 7)).start()
            monkeypatch.setattr(meeting, "COME_S", 0.4)
            assert one.loaded(1, nobody) == 7  # it has gone on to say that it lives
        one.store.delete_key("ready/1")
        with pytest.raises(GroupLostError, match=r"rank 1 \(.+\) has said nothing for 0 s: see whether it runs"):
            one.loaded(1, nobody)
        with pytest.raises(GroupLostError, match="gone"):
            one.loaded(1, lambda: "gone")
        one.close()


def test_what_takes_a_connection_and_says_nothing_is_no_leader() -> None:
    with socket.create_server((HERE, 0)) as mute:
        port = mute.getsockname()[1]
        with pytest.raises(GroupLostError, match=rf"what takes connections at {HERE}:{port} says nothing"):
            greeting(HERE, port, 0.2)


def test_a_name_that_is_not_known() -> None:
    with pytest.raises(GroupLostError, match=r"the name no-such\.invalid is not known here: give the address"):
        greeting("no-such.invalid", 29600)


JOIN = """
import sys, torch
from torch.distributed import TCPStore
from sdv2_live.ranks.group import join
store = TCPStore("127.0.0.1", int(sys.argv[1]), is_master=False, wait_for_workers=False)
join(store, 1, 2, torch.device("cpu"), "127.0.0.1")
"""


def test_joining_has_an_end_and_the_next_group_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    store = TCPStore(HERE, 0, is_master=True, wait_for_workers=False)
    with monkeypatch.context() as hasty:
        hasty.setattr(groups, "JOIN_S", 0.5)
        with pytest.raises(GroupLostError, match=r"rank 0 at 127\.0\.0\.1 cannot reach the others, .* let all TCP ports through"):
            groups.join(store, 0, 2, torch.device("cpu"), HERE)
    groups.leave()
    store = TCPStore(HERE, 0, is_master=True, wait_for_workers=False)
    with subprocess.Popen([sys.executable, "-c", JOIN, str(store.port)], env=os.environ | {"PYTHONPATH": str(ROOT)}) as other:
        groups.join(store, 0, 2, torch.device("cpu"), HERE)  # as many before it or not
        groups.leave()
        assert other.wait(60) == 0


def test_an_interface_that_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "no9")
    monkeypatch.setattr(groups, "_CHOSEN", groups.IFNAMES)
    store = TCPStore(HERE, 0, is_master=True, wait_for_workers=False)
    with pytest.raises(ConfigError, match=r"GLOO_SOCKET_IFNAME = no9, and this machine has .*lo.*: set it to one of these"):
        groups.join(store, 0, 2, torch.device("cpu"), HERE)
