from __future__ import annotations

import shutil

import pytest
from support.host_kernels import HostKernels, build


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> HostKernels:
    """The frame kernels, compiled for the host."""
    if shutil.which("g++") is None:
        pytest.skip("no g++ to compile the kernels for the host")
    return build(tmp_path_factory.mktemp("kernels"))
