"""Spots: where a process is when it passes a port."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from penstock.core.payload import Payload

_CALL: Final = re.compile(r"\[[^\]/]*\]|#[\d.]+")
"""What tells the calls and firings of one node apart in a path."""


class Side(StrEnum):
    """Which way packets go through a port."""

    IN = "in"
    OUT = "out"


class Spot(msgspec.Struct, frozen=True, kw_only=True):
    """One or more ports of one firing, with the packets that pass there at this instant.

    fid: the root process or run. firing: the path of the firing, `each[3]/resize`. depth: how
    many calls the process is inside of. packets: by port; an out-port that sends several has a
    list of them.
    """

    fid: str
    firing: str
    depth: int
    side: Side
    packets: Mapping[str, Payload]

    @property
    def node(self) -> str:
        """The path without calls and branches, as people name the node: `each/resize`."""
        return _CALL.sub("", self.firing)

    @property
    def payload(self) -> Payload:
        """The packet, where it is only one; else all of them by port."""
        if len(self.packets) == 1:
            (payload,) = self.packets.values()
            return payload
        return dict(self.packets)

    def __str__(self) -> str:
        if self.packets:
            return ", ".join(f"{self.node}.{port}" for port in self.packets)
        return f"{self.node}, which {'gets' if self.side is Side.IN else 'sends'} nothing"
