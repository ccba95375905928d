"""The NDI configuration file, which names the discovery server.

The SDK has no API for that server: it reads it from JSON (docs.ndi.video, SDK, Configuration Files).
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

from sdv2_live.system.folders import ndi_folder

log = logging.getLogger("sdv2_live.ndi")

CONFIG_NAME = "ndi-config.v1.json"  # the name the SDK looks for inside NDI_CONFIG_DIR

_folder: tempfile.TemporaryDirectory[str] | None = None  # the SDK may read it again, so it lives as long as the process


def use_discovery_server(server: str) -> None:
    """Write the file, with the machine's own settings, and point this process's SDK to it. Call it before NDI is initialised."""
    global _folder
    config = _user_config()
    config.setdefault("ndi", {}).setdefault("networks", {})["discovery"] = server
    _folder = tempfile.TemporaryDirectory(prefix="sdv2-ndi-")
    Path(_folder.name, CONFIG_NAME).write_text(json.dumps(config), encoding="utf-8")
    os.environ["NDI_CONFIG_DIR"] = _folder.name


def _user_config() -> dict[str, Any]:
    """The machine's own NDI settings, which NDI_CONFIG_DIR would otherwise hide."""
    path = Path(os.environ.get("NDI_CONFIG_DIR") or ndi_folder()) / CONFIG_NAME
    try:
        config = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning("%s is not readable as JSON (%s); its settings are not used: repair or remove it", path, error)
        return {}
    return config if isinstance(config, dict) else {}
