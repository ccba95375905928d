"""A rank of a group that is not its leader: `python -m sdv2_live.worker.rank LEADER` (HOST:PORT).

The leader, the engine of a show, starts those of its own machine itself. On other machines they are started by hand or by
torchrun, and wait for the leader, whenever it comes and however often it comes anew. What they need to know it tells them; only
where the weights lie may differ from machine to machine.
"""

from __future__ import annotations

import argparse
import base64
import json
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sdv2_live import __version__
from sdv2_live.errors import ConfigError, GroupLostError, Sdv2Error
from sdv2_live.system.process import end_with_parent

log = logging.getLogger("sdv2_live.worker")

CONNECT_S = 5.0  # for one try
AGAIN_S = 1.0  # until the next
TOLD_S = 900.0  # a leader that loads its models tells nothing for so long


def main(arguments: Sequence[str] | None = None) -> int:
    """The process, from beginning to end."""
    parser = argparse.ArgumentParser(
        prog="python -m sdv2_live.worker.rank", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("leader", metavar="HOST:PORT", help="the show's machine, and its model.rank_port")
    parser.add_argument("--rank", type=int, help="1, 2, ...; torchrun gives it (its RANK + 1)")
    parser.add_argument("--weights-dir", type=Path, help="folder of the weights here, if another than on the leader's machine")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)  # of the leader: ends with it
    options = parser.parse_args(arguments)
    host, _, port = options.leader.rpartition(":")
    rank = options.rank or int(os.environ.get("RANK", "0")) + 1
    if not host or not port.isdecimal():
        parser.error(f"{options.leader}: give HOST:PORT, such as 192.168.1.10:29600")
    where = sys.stdout if options.child else sys.stderr  # the leader reads a child's lines
    logging.basicConfig(level=logging.WARNING, stream=where, format="%(levelno)s %(message)s" if options.child else "%(message)s")
    logging.getLogger("sdv2_live").setLevel(logging.INFO)
    if options.child:
        end_with_parent()
        threading.Thread(target=_end_with_input, name="parent", daemon=True).start()
    elif "LOCAL_RANK" in os.environ:  # each of torchrun's processes of a machine has a card of its own
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", os.environ["LOCAL_RANK"])
    told = ""
    while True:
        try:
            follow(host, int(port), rank, options.weights_dir)
            words = "the leader has ended the group"
        except Sdv2Error as error:
            if options.child:
                if isinstance(error, GroupLostError):  # of all else the leader was told
                    log.warning("%s", error)
                return error.exit_code
            words = str(error)
        if options.child:
            return 0
        if words != told:
            log.info("rank %d: %s; it waits for the leader at %s", rank, words, options.leader)
        told = words
        time.sleep(AGAIN_S)


def follow(host: str, port: int, rank: int, weights_dir: Path | None) -> None:
    """Take part in one group, from its beginning to its end.

    Raises:
        GroupLostError: the leader is not there, or is gone.
        Sdv2Error: this rank cannot do its part; the leader was told.
    """
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    import sdv2_live.pipeline.build  # noqa: F401  # takes seconds; the leader does the same meanwhile
    from sdv2_live.ranks.links import first_line

    try:
        with socket.create_connection((host, port), CONNECT_S):
            pass
        # A leader that has just been started answers when it has imported torch.
        store: Any = TCPStore(host, port, is_master=False, wait_for_workers=False, timeout=timedelta(seconds=TOLD_S))
        store.set(f"here/{rank}", json.dumps({"leader": socket.gethostbyname(host), "host": socket.gethostname()}))
        setup = json.loads(_told(store, "setup"))
    except (OSError, RuntimeError) as error:
        raise GroupLostError(f"no leader at {host}:{port} ({first_line(error)})") from error
    try:
        _take_part(store, setup, host, port, rank, weights_dir)
    except GroupLostError:
        raise
    except RuntimeError as error:  # of the store, whose leader is gone; or of the model
        raise GroupLostError(first_line(error)) from error


def _take_part(store: Any, setup: dict[str, Any], host: str, port: int, rank: int, weights_dir: Path | None) -> None:
    import torch

    from sdv2_live.config.schema import Config
    from sdv2_live.model.samples import samples
    from sdv2_live.pipeline.build import load_part
    from sdv2_live.pipeline.group import held_bytes
    from sdv2_live.ranks.follower import Follower
    from sdv2_live.ranks.group import SILENT_S, Member, address_towards, join, leave

    if rank < len(setup["visible"]):  # of the leader's machine
        os.environ["CUDA_VISIBLE_DEVICES"] = setup["visible"][rank]  # CUDA has not been used yet
    try:
        config = Config.model_validate(setup["config"])
        if weights_dir is not None:
            config = config.replaced(model=config.model.model_copy(update={"weights_dir": weights_dir}))
        if rank >= len(setup["parts"]):
            raise ConfigError(
                f"there is no rank {rank} in a group of {len(setup['parts'])}; start as many as the leader waits for"
            )
        dit, loras = load_part(config, range(*setup["parts"][rank]))
        sampled = {name: base64.b64encode(each).decode() for name, each in samples(dit).items()}
        versions = {"sdv2_live": __version__, "torch": str(torch.__version__), "loras": list(loras.digests)}
        store.set(f"ready/{rank}", json.dumps({"samples": sampled, "versions": versions}))
    except Sdv2Error as error:
        store.set(f"failed/{rank}", json.dumps({"error": type(error).__name__, "text": str(error)}))
        raise
    size = len(setup["parts"])
    go = json.loads(_told(store, "go"))
    if go["refused"]:
        raise ConfigError(go["refused"])
    device = dit.device
    try:
        join(store, rank, size, device, address_towards(host, port))
        Follower(Member(rank, size, device, SILENT_S), dit, loras, held_bytes).run()
    finally:
        leave()


def _told(store: Any, key: str) -> bytes:
    store.wait([key], timedelta(seconds=TOLD_S))
    value: bytes = store.get(key)
    return value


def _end_with_input() -> None:
    """End with the leader, which holds the other end of this process's input, also where it was killed."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
