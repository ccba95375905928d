"""Prompt embeddings on disk: a prompt that was encoded once, by the same text encoder, is never encoded again."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

log = logging.getLogger("sdv2_live.prompt")

MAX_FILES = 2000  # per text encoder; beyond it the files used longest ago are removed
SLACK = 100  # removed at once, so that the folder is not looked through at every prompt


class PromptDisk:
    """Embeddings as safetensors below `folder`, one subfolder a text encoder. Used from the text encoder's thread only.

    A file that cannot be read is encoded anew; a disk that cannot be written is said once and otherwise does without.
    """

    def __init__(self, folder: Path, encoder: str) -> None:
        """encoder: what tells this text encoder and its version from any other; it becomes part of the path as a hash."""
        self._folder = folder / _digest(encoder)
        self._written = True

    def load(self, prompt: str) -> Tensor | None:
        """The prompt's embedding (1, n, dim), or None when it is not there."""
        path = self._path(prompt)
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                if (file.metadata() or {}).get("prompt") != prompt:
                    return None
                embedding: Tensor = file.get_tensor("embedding")
            os.utime(path)
        except (SafetensorError, OSError) as error:
            log.warning("%s: unusable (%s); the prompt is encoded again", path, error)
            return None
        return embedding

    def store(self, prompt: str, embedding: Tensor) -> None:
        """Keep an embedding. Whole or not at all: a reader never sees half a file."""
        path = self._path(prompt)
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            save_file({"embedding": embedding.cpu().contiguous()}, part, {"prompt": prompt})
            part.replace(path)
            self._prune()
        except (SafetensorError, OSError) as error:
            if self._written:
                log.warning("%s: cannot be written (%s); prompts are encoded again at the next start", self._folder, error)
            self._written = False

    def _path(self, prompt: str) -> Path:
        return self._folder / f"{_digest(prompt)}.safetensors"

    def _prune(self) -> None:
        files = list(self._folder.glob("*.safetensors"))
        if len(files) > MAX_FILES:
            for file in sorted(files, key=lambda f: f.stat().st_mtime)[: len(files) - MAX_FILES + SLACK]:
                file.unlink(missing_ok=True)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]
