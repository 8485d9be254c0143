"""Ports of a kind, and how they are named.

A port is named `body`, or belongs to a family: `out[0]`, `out[1]`, … are members of
`out[]`. In a declaration the family stands for all its members.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

MISSING: Final = msgspec.UNSET
"""Stands where None would be a value."""

_MEMBER: Final = re.compile(r"(?P<family>[A-Za-z0-9_-]+)\[(?P<index>\d+)\]")


class Port(msgspec.Struct, frozen=True):
    """What may pass through a port.

    type: a type hint; `Any` lets everything pass.
    default: the value of an in-port that nothing feeds; without one it must be fed.
    many: an out-port that may emit several packets in one firing (an `Emit`).
    call: an out-port that a control node calls; nothing is sent over it otherwise.
    """

    type: Any = Any
    doc: str = ""
    default: Any = MISSING
    many: bool = False
    call: bool = False

    @property
    def required(self) -> bool:
        return self.default is MISSING


Ports = Mapping[str, Port]


class Emit(tuple[Any, ...]):
    """Several packets for one out-port, in order: `{"out": Emit([1, 2, 3])}`."""

    __slots__ = ()


def family(port: str) -> str | None:
    """The family that `out[3]` belongs to (`out[]`), or None for a plain name."""
    member = _MEMBER.fullmatch(port)
    return f"{member['family']}[]" if member else None


def index(port: str) -> int | None:
    """The number of a family's member: 3 for `out[3]`, None for a plain name."""
    member = _MEMBER.fullmatch(port)
    return int(member["index"]) if member else None


def look_up(ports: Ports, name: str) -> Port | None:
    """The declaration that a port's name refers to, itself or its family's."""
    found = ports.get(name)
    if found is None:
        group = family(name)
        found = ports.get(group) if group else None
    return found
