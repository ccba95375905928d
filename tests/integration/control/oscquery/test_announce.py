"""mDNS on the interfaces that a machine has, and on those that it gets later: each test in a network of its own.

One interface that has several addresses stands for several interfaces.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

import pytest

from sdv2_live.control.oscquery.announce import interfaces

SHOW = """
import asyncio, subprocess, sys
from sdv2_live.control.oscquery import announce
from zeroconf import Zeroconf

announce.LOOK_S = 0.1  # another look is what these stories wait for
KIND = "_oscjson._tcp.local."

def address(verb, text):
    subprocess.run(["ip", "addr", verb, text + "/24", "dev", "lo"], check=True)

subprocess.run(["ip", "link", "set", "lo", "multicast", "on", "up"], check=True)

async def found(*wanted):
    '''Wait until a browser at each of these addresses reads all of them of the show.'''
    for one in wanted:
        await found_at(one, *wanted)

async def found_at(at, *wanted):
    browser = await asyncio.to_thread(Zeroconf, [at])
    try:
        while True:
            info = await asyncio.to_thread(browser.get_service_info, KIND, "show." + KIND, 500)
            if info and sorted(info.parsed_addresses()) == sorted(wanted):
                return
            await asyncio.sleep(0.05)
    finally:
        await asyncio.to_thread(browser.close)

async def main():
    async with asyncio.timeout(50), announce.announced("show", "0.0.0.0", 9000, 9000):
        await story()

async def story():
"""


def tell(story: Sequence[str]) -> None:
    """Run a story in a network namespace that has loopback alone."""
    if sys.platform != "linux" or shutil.which("unshare") is None or os.geteuid() != 0:
        pytest.skip("networks of one's own are made by root on Linux")
    script = SHOW + "".join(f"    {line}\n" for line in story) + "asyncio.run(main())\n"
    subprocess.run(["unshare", "-n", sys.executable, "-c", script], check=True, timeout=60)


def test_every_network_hears_of_it_without_a_default_route() -> None:
    tell(
        [
            "address('add', '10.77.1.1')",
            "address('add', '10.77.2.1')",
            "await found('10.77.1.1', '10.77.2.1')",
        ]
    )


def test_networks_that_come_and_go() -> None:
    tell(
        [
            "await asyncio.sleep(0)  # it has looked, and found loopback alone",
            "address('add', '10.77.1.1')",
            "await found('10.77.1.1')",
            "address('add', '10.77.2.1')",
            "address('del', '10.77.1.1')",
            "await found('10.77.2.1')",
        ]
    )


def test_interfaces_of_one_address_are_its_own() -> None:
    assert interfaces("127.0.0.1") == ["127.0.0.1"]
    assert interfaces("203.0.113.9") == []
    assert interfaces("0.0.0.0")
