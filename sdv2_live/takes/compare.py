"""Comparison of repainted pictures with the show's: byte for byte, or, by other frame kernels, within one code.

The kernels of CuPy and PyTorch's operations round a last bit otherwise (gpu/backend.py), which may show as one code of 255. A
hash cannot tell that from any other difference, so a take also keeps some bytes of every picture.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from sdv2_live.frame import Frame

SAMPLES = 256  # bytes of each picture, evenly spaced
TOLERANCE = 1  # codes of 0..255


def sha256_of(pictures: Sequence[Frame]) -> str | None:
    """Hash of the pictures' bytes, one after the other; None when there are none."""
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(np.ascontiguousarray(picture.data).data)
    return digest.hexdigest() if pictures else None


def samples_of(pictures: Sequence[Frame]) -> str | None:
    """SAMPLES bytes of each picture, as base64; None when there are none."""
    return base64.b64encode(b"".join(part.tobytes() for part in _sampled(pictures))).decode() if pictures else None


def within(pictures: Sequence[Frame], samples: str | None) -> bool:
    """True when these pictures have, at the same places, the bytes of `samples_of` to within TOLERANCE."""
    if samples is None or not pictures:
        return samples is None and not pictures
    theirs = np.frombuffer(base64.b64decode(samples), np.uint8).astype(int)
    ours = np.concatenate(list(_sampled(pictures))).astype(int)
    return theirs.size == ours.size and int(np.abs(ours - theirs).max()) <= TOLERANCE


def _sampled(pictures: Sequence[Frame]) -> Iterator[np.ndarray]:
    for picture in pictures:
        flat = picture.data.reshape(-1)
        yield flat[np.linspace(0, flat.size - 1, SAMPLES).astype(int)]  # no whole number of pixels apart: all channels are met
