"""What others leave in weights: files mistaken for them, recognised by their first bytes, and insertions in keys."""

from __future__ import annotations

import re
from pathlib import Path

HEAD = 512  # bytes that are looked at
_POINTER = b"version https://git-lfs.github.com/spec/"
_INSERTED = frozenset({"_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_orig_mod"})  # torch's wrappers, anywhere in a key
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head")


def plain_parts(key: str) -> list[str]:
    """A key cut at its dots, without what torch's wrappers insert."""
    return [part for part in key.split(".") if part not in _INSERTED]


def foreign(path: Path) -> str:
    """The kind of a file that is no weights, with the remedy, as the end of a sentence.

    Empty for a file that may be weights or that cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError:
        return ""
    if head.startswith(_POINTER):
        size = re.search(rb"^size ([0-9]{1,18})\r?$", head, re.MULTILINE)
        of = f" of {int(size[1]) / 1e9:.1f} GB" if size else ""
        return f"is a Git LFS pointer{of}: run git lfs pull where it was cloned, or fetch it with sdv2-live weights download"
    if head.startswith(b"GGUF"):
        return "is a GGUF file, which is not supported; take the same weights as .safetensors"
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_PAGES):
        return "is a web page, not the file that it offers: log in there if it asks for it, and fetch the file itself again"
    if not head.strip(b"\0"):
        return "is empty or holds nothing but zeros; fetch it again"
    return ""
