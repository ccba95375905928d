"""Expansion of prompts during a show, by `sdv2-live prompt expand` in a process of its own: it delays and breaks nothing."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from sdv2_live.config.schema_files import ExpandConfig
from sdv2_live.control.errands import Errands
from sdv2_live.control.store import ParamStore
from sdv2_live.errors import ExpandError, ParamError

log = logging.getLogger("sdv2_live.expand")

ORIGIN = "expansion"
STARTS_S = 120.0  # beside the time to write: for the process and a model's loading
_REASON = "the prompt stays as it was: "  # what the command says before it


class Expander:
    """Carries out `/sdv2/prompt/expand`: writes a long prompt into the cue.

    `changed` is called when an expansion begins or ends, on any thread.
    """

    def __init__(
        self,
        config: ExpandConfig,
        store: ParamStore,
        changed: Callable[[], None] = lambda: None,
        program: Sequence[str] = (sys.executable, "-m", "sdv2_live"),
    ) -> None:
        self._config, self._store, self._changed, self._program = config, store, changed, program
        self._errands = Errands("expansion")
        self._process: subprocess.Popen[str] | None = None
        self._closing = False
        self.expanding = False
        self.problem = ""  # why the last one failed

    @property
    def configured(self) -> bool:
        """True when there is something that writes."""
        return bool(self._config.endpoint or self._config.model)

    @property
    def failures(self) -> int:
        """Internal errors that were survived."""
        return self._errands.failures

    @property
    def actions(self) -> dict[str, Callable[[tuple[Any, ...]], Future[None]]]:
        """The function of its OSC address."""
        return {"prompt/expand": self._expand}

    def start(self) -> None:
        """Begin to take requests."""
        if self.configured:
            self._errands.start()

    def close(self) -> None:
        """Give up what is being expanded, and stop. Idempotent."""
        self._closing = True
        if (process := self._process) is not None:
            process.kill()
        if self.configured:
            self._errands.close()

    def _expand(self, args: tuple[Any, ...]) -> Future[None]:
        if not self.configured:
            raise ParamError("nothing is configured that could expand a prompt; set expand.endpoint or expand.model")
        given = [arg for arg in args if not isinstance(arg, bool)]
        if len(given) > 1 or not all(isinstance(arg, str) for arg in given):
            raise ParamError("prompt/expand takes a text, or nothing for the cue")
        params = self._store.latest()
        text = next((text for text in (*given, params.cue_prompt, params.prompt) if text.strip()), "")
        cue = params.cue_prompt
        return self._errands.ask(text, lambda: self._write(text, cue))

    def _write(self, text: str, cue: str) -> None:
        if self._closing:
            raise ExpandError("the show ends")
        self.expanding, self.problem = True, ""
        self._changed()
        try:
            long = self._asked(text)
            if self._store.latest().cue_prompt != cue:
                raise ExpandError("the cue was written to meanwhile, and stays as it is; send it again")
            self._store.set("cue_prompt", long, ORIGIN)
        except ExpandError as error:
            self.problem = str(error)
            log.warning("a prompt could not be expanded: %s", error)
            raise
        finally:
            self.expanding = False
            self._changed()

    def _asked(self, text: str) -> str:
        config = self._config
        writer = ["--endpoint", config.endpoint] if config.endpoint else ["--model", config.model]
        if config.endpoint and config.endpoint_model:
            writer += ["--endpoint-model", config.endpoint_model]
        writer += ["--insecure"] if config.insecure else []
        command = [*self._program, "prompt", "expand", *writer, "--timeout", str(config.timeout_s), "-"]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                env={**os.environ, "PYTHONUTF8": "1"},
                start_new_session=True,  # Ctrl-C reaches the show, which ends it
            )
            said, errors = self._process.communicate(text, timeout=config.timeout_s + STARTS_S)
        except subprocess.TimeoutExpired:
            self._process.kill()  # type: ignore[union-attr]  # it has started
            raise ExpandError(f"nothing was written within {config.timeout_s + STARTS_S:g} s") from None
        except OSError as error:
            raise ExpandError(f"{command[0]} cannot be started: {error.strerror}") from error
        process, self._process = self._process, None
        if process.returncode:
            raise ExpandError(errors.strip().rpartition(_REASON)[2].strip()[-500:] or "it ended without a word")
        return said.strip()
