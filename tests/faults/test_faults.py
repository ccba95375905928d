"""Never black: faults injected into a real show, and what an independent NDI client sees meanwhile.

Each kind of fault, ten times. The output must never be black, nor stand still; no parameter may be lost; the engine must
paint again. Gaps between output frames and times of recovery are measured and told (see conftest.py), and not judged: they
are the machine's too. A gap is counted where the control hop, which has no daemon in it, has none at the same time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import pytest

pytest.importorskip("resource", reason="the faults are Linux' own: signals, limits, /proc")

from faults import (
    control_faults,
    device_faults,
    engine_faults,
    http_faults,
    input_faults,
    music_faults,
    preset_faults,
    rank_faults,
    system_faults,
)
from faults.fault_report import Report
from faults.faultrig import Rig
from faults.injection import Fault, injected

TIMES = int(os.environ.get("SDV2_INJECTIONS", "10"))
REFUSED = "socket.accept() out of system resource"  # asyncio's own words, traceback and all, where there are no descriptors
STILL = 60.0  # frame times; an output without a frame for two seconds has stopped, on any machine
MODULES = (engine_faults, input_faults, control_faults, http_faults, preset_faults, music_faults, system_faults)
ALL = tuple(fault for module in MODULES for fault in module.FAULTS)
QUICK = (engine_faults.FAULTS[0], input_faults.FAULTS[4], control_faults.FAULTS[1], system_faults.FAULTS[5])


class Rigs:
    """One at a time; another when the last has broken, or one of another kind is asked for."""

    def __init__(self) -> None:
        self._rig: Rig | None = None
        self._kind: Callable[[], Rig] = Rig

    def get(self, kind: Callable[[], Rig] = Rig) -> Rig:
        if kind is not self._kind:
            self.drop()
        self._rig, self._kind = self._rig or kind(), kind
        return self._rig

    def drop(self) -> None:
        rig, self._rig = self._rig, None
        if rig is not None:
            rig.close()


@pytest.fixture(scope="module")
def rigs() -> Iterator[Rigs]:
    rigs = Rigs()
    yield rigs
    rigs.drop()


def inject(rig: Rig, fault: Fault, times: int, report: Report) -> None:
    for _ in range(times):
        seen = injected(rig, fault)
        report.add(fault.name, seen)
        assert seen.black == 0
        assert seen.lost == []
        assert max((gap.frames for gap in seen.counted), default=0.0) < STILL
    log = rig.daemon.log
    broken = next((i for i, line in enumerate(log) if "Traceback" in line and REFUSED not in log[i - 1]), None)
    assert broken is None, "".join(log[max(broken - 2, 0) : broken + 30])


@pytest.mark.parametrize("fault", QUICK, ids=lambda fault: fault.name)
def test_once(fault: Fault, rigs: Rigs, fault_report: Report) -> None:
    _one(fault, 1, rigs, fault_report)


@pytest.mark.faults
@pytest.mark.parametrize("fault", ALL, ids=lambda fault: fault.name)
def test_ten_times(fault: Fault, rigs: Rigs, fault_report: Report) -> None:
    _one(fault, TIMES, rigs, fault_report)


def _one(fault: Fault, times: int, rigs: Rigs, report: Report, kind: Callable[[], Rig] = Rig) -> None:
    rig = rigs.get(kind)
    try:
        inject(rig, fault, times, report)
    except BaseException:
        rigs.drop()
        raise


@pytest.mark.faults
def test_nobody_reads_what_it_prints(rigs: Rigs, fault_report: Report) -> None:
    rigs.drop()  # two at once would be in each other's way
    with Rig(daemon=system_faults.Piped) as rig:
        inject(rig, system_faults.CLOSED, TIMES, fault_report)


@pytest.mark.faults
@pytest.mark.parametrize("fault", rank_faults.FAULTS, ids=lambda fault: fault.name)
def test_a_rank(fault: Fault, rigs: Rigs, fault_report: Report) -> None:
    _one(fault, TIMES, rigs, fault_report, rank_faults.two_ranks)


@pytest.mark.faults
def test_a_rank_that_keeps_failing(rigs: Rigs, fault_report: Report) -> None:
    _one(rank_faults.FEWER, 1, rigs, fault_report, rank_faults.three_ranks)


@pytest.fixture(scope="module")
def devices(rigs: Rigs) -> Iterator[Rig]:
    rigs.drop()
    with device_faults.DeviceRig() as rig:
        yield rig


@pytest.mark.faults
@pytest.mark.skipif(find_spec("sdl2") is None, reason="there is no PySDL2 (the extra window)")
@pytest.mark.parametrize("fault", device_faults.FAULTS, ids=lambda fault: fault.name)
def test_this_machines_own_devices(fault: Fault, devices: Rig, fault_report: Report) -> None:
    inject(devices, fault, TIMES, fault_report)
