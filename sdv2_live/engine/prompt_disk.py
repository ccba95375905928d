"""Prompt embeddings on disk: a prompt that was encoded once, by the same text encoder, is never encoded again.

    FOLDER/umt5-xxl-bf16/<hash of the prompt>.safetensors

A file holds the embedding, and in its metadata the prompt, the encoder, its precision class and its file's fingerprint. It is
accepted for an encoder of the same name and precision class; where that encoder's file is there, only if it is the very file
that made it. So a folder can be copied to a machine that has no encoder, and no encoder's embeddings pass for another's.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from sdv2_live.model.checkpoints.files import TextIdentity
from sdv2_live.system.atomic import written_whole
from sdv2_live.system.private import private_folder

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger("sdv2_live.prompt")

MAX_FILES = 2000  # per text encoder; beyond it the files used longest ago are removed
SLACK = 100  # removed at once, so that the folder is not looked through at every prompt
FORMAT = "1"  # of the files: their tensors, and how a prompt is cleaned and cut before it is encoded


class PromptDisk:
    """Embeddings as safetensors below `folder`, one subfolder a text encoder. Stores from the text encoder's thread only.

    An unreadable file is encoded again. A disk that cannot be written is logged once, and embeddings stay in memory.
    """

    def __init__(self, folder: Path, identities: Sequence[TextIdentity]) -> None:
        """Use `folder` for the embeddings of these encoders.

        Args:
            folder: its subfolders hold one encoder's embeddings each.
            identities: the encoders whose embeddings are accepted, the preferred first; that one stores.
        """
        self.folder = folder
        self._identities = tuple(identities)
        self._written = True
        self._told: set[TextIdentity] = set()

    def load(self, prompt: str) -> Tensor | None:
        """The prompt's embedding (1, n, dim), or None when it is not there."""
        for identity in self._identities:
            embedding = self._read(prompt, identity)
            if embedding is not None:
                if identity != self._identities[0] and identity not in self._told:
                    self._told.add(identity)
                    log.warning("prompts are taken from those encoded by %s; %s lacks some", identity, self._identities[0])
                return embedding
        return None

    def has(self, prompt: str) -> bool:
        """True when `load` would return an embedding. Reads only the file's metadata, without torch."""
        return any(self._made(prompt, identity) is not None for identity in self._identities)

    def store(self, prompt: str, embedding: Tensor) -> None:
        """Write an embedding atomically: a reader never sees half a file."""
        from safetensors.torch import save_file  # here: a show that only asks what is there needs no torch

        identity = self._identities[0]
        path = self._path(prompt, identity)
        about = {
            "format": FORMAT,
            "prompt": prompt,
            "encoder": identity.name,
            "precision": identity.precision,
            "fingerprint": identity.fingerprint,
        }
        try:
            private_folder(path.parent)
            with written_whole(path) as part:
                save_file({"embedding": embedding.cpu().contiguous()}, part, about)
                part.chmod(0o600)
            self._prune(path.parent)
        except (SafetensorError, OSError) as error:
            if self._written:
                log.warning("%s: cannot be written (%s); prompts are encoded again at the next start", path.parent, error)
            self._written = False

    def _read(self, prompt: str, identity: TextIdentity) -> Tensor | None:
        path = self._made(prompt, identity)
        if path is None:
            return None
        try:
            with safe_open(path, framework="pt") as file:
                embedding: Tensor = file.get_tensor("embedding")
        except (SafetensorError, OSError) as error:
            self._unusable(path, error)
            return None
        with suppress(OSError):  # a folder that may only be read is as good
            os.utime(path)
        return embedding

    def _made(self, prompt: str, identity: TextIdentity) -> Path | None:
        """The prompt's file made by this encoder or an equivalent one; None when there is none."""
        path = self._path(prompt, identity)
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="np") as file:
                about = file.metadata() or {}
        except (SafetensorError, OSError) as error:
            self._unusable(path, error)
            return None
        maker = TextIdentity(about.get("encoder", ""), about.get("precision", ""), about.get("fingerprint", ""))
        wanted = (about.get("format"), about.get("prompt")) == (FORMAT, prompt) and identity.made_by(maker)
        return path if wanted else None

    @staticmethod
    def _unusable(path: Path, error: Exception) -> None:
        log.warning("%s: unusable (%s); the prompt is encoded again", path, error)

    def _path(self, prompt: str, identity: TextIdentity) -> Path:
        digest = hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()[:40]
        return self.folder / str(identity) / f"{digest}.safetensors"

    @staticmethod
    def _prune(folder: Path) -> None:
        files = list(folder.glob("*.safetensors"))
        if len(files) > MAX_FILES:
            for file in sorted(files, key=lambda f: f.stat().st_mtime)[: len(files) - MAX_FILES + SLACK]:
                file.unlink(missing_ok=True)
