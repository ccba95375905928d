"""The SDK's configuration file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sdv2_live.io.ndi.config import CONFIG_NAME, use_discovery_server


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])  # the second is Notepad's
def test_a_discovery_server_joins_the_machines_own_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    own = {"ndi": {"machinename": "B\u00fchne", "networks": {"ips": "10.0.0.5"}}}
    (tmp_path / CONFIG_NAME).write_text(json.dumps(own, ensure_ascii=False), encoding=encoding)
    monkeypatch.setenv("NDI_CONFIG_DIR", str(tmp_path))
    use_discovery_server("10.0.0.9")
    now = json.loads(Path(os.environ["NDI_CONFIG_DIR"], CONFIG_NAME).read_text(encoding="utf-8"))
    assert now == {"ndi": {"machinename": "B\u00fchne", "networks": {"ips": "10.0.0.5", "discovery": "10.0.0.9"}}}
