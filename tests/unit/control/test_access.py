"""Who may play."""

from __future__ import annotations

import pytest

from sdv2_live.control.access import Access, own_addresses, ways_in
from sdv2_live.errors import ConfigError


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1", "10.1.2.3", "192.168.0.9", "169.254.8.1", "fe80::1%eth0"]
)
def test_without_a_list_private_networks_may_send(host: str) -> None:
    assert Access((), 100, "osc.allow").may_send(host)


@pytest.mark.parametrize("host", ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "0.0.0.0.example"])
def test_without_a_list_the_internet_may_not(host: str) -> None:
    gate = Access((), 100, "osc.allow")
    if host.endswith("example"):
        with pytest.raises(ValueError, match="example"):  # a socket gives addresses, never names
            gate.may_send(host)
    else:
        assert not gate.may_send(host)


def test_a_list_bars_everybody_else_but_this_machine() -> None:
    gate = Access(("192.168.1.0/24", "2001:db8::7"), 100, "osc.allow")
    assert [gate.may_send(host) for host in ("192.168.1.77", "2001:db8::7", "127.0.0.1")] == [True] * 3
    assert [gate.may_send(host) for host in ("192.168.2.1", "10.0.0.1", "2001:db8::8")] == [False] * 3
    assert gate.listed("192.168.1.3")
    assert not gate.listed("127.0.0.1")  # may send, but is nobody that others may subscribe


def test_what_is_no_network_is_refused_with_its_key() -> None:
    with pytest.raises(ConfigError, match=r"osc\.allow: cannot be 'studio'; give addresses or networks"):
        Access(("studio",), 100, "osc.allow")


def test_each_sender_has_its_own_rate() -> None:
    now = 0.0
    gate = Access((), 10, "osc.allow", clock=lambda: now)
    assert [gate.within_rate("10.0.0.1") for _ in range(12)] == [True] * 10 + [False] * 2
    assert gate.within_rate("10.0.0.2")
    now = 0.5
    assert [gate.within_rate("10.0.0.1") for _ in range(7)] == [True] * 5 + [False] * 2


def test_the_ways_in_are_addresses_that_others_can_send_to() -> None:
    others = {str(address): name for address, name in own_addresses().items() if address.version == 4 and not address.is_loopback}
    assert ways_in("0.0.0.0") == others
    assert all(ways_in(address) == {address: name} for address, name in others.items())
    assert ways_in("127.0.0.1") == ways_in("::1") == {}
