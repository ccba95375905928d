"""A rank of a group that is not its leader: `python -m sdv2_live.worker.rank LEADER` (HOST:PORT).

The leader, the engine of a show, starts those of its own machine itself. On other machines they are started by hand or by
torchrun, and wait for the leader, whenever it comes and however often it comes anew. What they need to know it tells them; only
where the weights lie may differ from machine to machine.
"""

from __future__ import annotations

import argparse
import base64
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from sdv2_live.errors import ConfigError, EngineError, GroupLostError, Sdv2Error
from sdv2_live.system.names import short_lookups
from sdv2_live.system.process import end_with_parent

if TYPE_CHECKING:
    from sdv2_live.ranks.guest import Guest

log = logging.getLogger("sdv2_live.worker")

AGAIN_S = 1.0  # until the next try


def main(arguments: Sequence[str] | None = None) -> int:
    """The process, from beginning to end."""
    parser = argparse.ArgumentParser(
        prog="python -m sdv2_live.worker.rank", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("leader", metavar="HOST:PORT", help="the show's machine, and its model.rank_port")
    parser.add_argument("--rank", type=int, default=1, help="its number among those of other machines; torchrun adds its RANK")
    parser.add_argument("--weights-dir", type=Path, help="folder of the weights here, if another than on the leader's machine")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)  # of the leader: ends with it
    options = parser.parse_args(arguments)
    host, _, port = options.leader.rpartition(":")
    number = options.rank + (0 if options.child else int(os.environ.get("RANK", "0")))
    if not host or not port.isdecimal():
        parser.error(f"{options.leader}: give HOST:PORT, such as 192.168.1.10:29600")
    where = sys.stdout if options.child else sys.stderr  # the leader reads a child's lines
    logging.basicConfig(level=logging.WARNING, stream=where, format="%(levelno)s %(message)s" if options.child else "%(message)s")
    logging.getLogger("sdv2_live").setLevel(logging.INFO)
    short_lookups()
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # it warns of networks without names
    if options.child:
        end_with_parent()
        threading.Thread(target=_end_with_input, name="parent", daemon=True).start()
    else:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python would have Ctrl-C wait until another rank says something
    if "LOCAL_RANK" in os.environ and not options.child:  # each of torchrun's processes of a machine has a card of its own
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", os.environ["LOCAL_RANK"])
    told = ""
    while True:
        try:
            follow(host, int(port), number, options.weights_dir, child=options.child)
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
            log.info("%s. Rank %d goes on trying", words, number)
        told = words
        time.sleep(AGAIN_S)


def follow(host: str, port: int, number: int, weights_dir: Path | None, *, child: bool) -> None:
    """Take part in one group, from its beginning to its end. Arguments as for Guest.

    Raises:
        GroupLostError: the leader is not there, or is gone.
        Sdv2Error: this rank cannot do its part; the leader was told.
    """
    import sdv2_live.pipeline.build  # noqa: F401  # takes seconds; the leader does the same meanwhile
    from sdv2_live.ranks.guest import Guest

    with closing(Guest(host, port, number, child=child)) as guest:
        _take_part(guest, host, port, weights_dir, child=child)


def _take_part(guest: Guest, host: str, port: int, weights_dir: Path | None, *, child: bool) -> None:
    from sdv2_live.config.schema import Config
    from sdv2_live.model.samples import samples
    from sdv2_live.pipeline.build import load_part, part_digests
    from sdv2_live.pipeline.group import held_bytes
    from sdv2_live.ranks.follower import Follower
    from sdv2_live.ranks.group import SILENT_S, Member, address_towards, join, leave

    setup = guest.told("setup")
    if child:
        os.environ["CUDA_VISIBLE_DEVICES"] = setup["visible"][guest.rank]  # CUDA has not been used yet
    try:
        config = Config.model_validate(setup["config"])
        if weights_dir is not None:
            config = config.replaced(model=config.model.model_copy(update={"weights_dir": weights_dir}))
        blocks = range(*setup["parts"][guest.rank])
        dit, loras = load_part(config, blocks)
        files = {} if child else part_digests(config, blocks)  # the leader's own processes read its files
    except Sdv2Error as error:
        guest.fail(error)
        raise
    except RuntimeError as error:  # of torch: there is no room, or no such GPU
        guest.fail(why := EngineError(f"cannot load its part ({next(iter(str(error).splitlines()), '')})"))
        raise why from error
    sampled = {name: base64.b64encode(each).decode() for name, each in samples(dit).items()}
    guest.say("ready", {"samples": sampled, "loras": list(loras.digests), "files": files, "device": dit.device.type})
    go = guest.told("go")
    if "refused" in go:
        guest.say("heard", True)
        raise ConfigError(go["refused"])
    try:
        join(guest.store, guest.rank, guest.size, dit.device, go["address"] if child else address_towards(host, port))
        Follower(Member(guest.rank, guest.size, dit.device, SILENT_S), dit, loras, held_bytes).run()
    finally:
        leave()


def _end_with_input() -> None:
    """End with the leader, which holds the other end of this process's input, also where it was killed."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
