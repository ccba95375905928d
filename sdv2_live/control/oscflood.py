"""Keeping a flood of fader messages cheap: of those that are read together, only the last one of an address counts."""

from __future__ import annotations

from collections.abc import Collection

from sdv2_live.control.addresses import ROOT
from sdv2_live.control.names import TABLE, Names

Datagram = tuple[bytes, tuple[str, int]]  # what came, and from which host and port


def faders_of(names: Names) -> frozenset[bytes]:
    """The addresses whose last value is all that counts."""
    moving = (name for name in names if (spec := names.find(name)) and spec.continuous)
    return frozenset(f"{ROOT}{name}{form}".encode() for name in moving for form in ("", "/norm", "/midi"))


FADERS = faders_of(TABLE)


def last_of_each(datagrams: list[Datagram], faders: Collection[bytes] = FADERS) -> list[Datagram]:
    """The same datagrams without those that a later one of the same sender to the same fader replaces.

    Nothing overtakes: across anything but fader messages (a trigger, a preset, a bundle) no value is left out.
    """
    kept: list[Datagram | None] = []
    places: dict[tuple[bytes, tuple[str, int]], int] = {}
    for datagram in datagrams:
        data, sender = datagram
        address = data[: data.find(b"\0")]
        if address in faders:
            earlier = places.get((address, sender))
            if earlier is not None:
                kept[earlier] = None
            places[address, sender] = len(kept)
        else:
            places.clear()
        kept.append(datagram)
    return [datagram for datagram in kept if datagram is not None]
