"""Breakpoints: where processes stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from penstock.core.payload import Payload
from penstock.engine.inspection.spot import Side

if TYPE_CHECKING:
    from penstock.engine.inspection.spot import Spot

ANY = "*"
"""Stands for every node, or every port."""

Condition = Callable[[Payload], bool]
"""Whether a packet is of interest. What it raises counts as yes, and is told."""


class Breakpoint:
    """A node, or one of its ports, at which processes stop.

    node: a name, or the end of a path such as `review/parse`; `*` for all. port: empty for every
    in-port and, of a trigger, for where it starts processes; `*` for every port. condition:
    asked with the packet, or with all of them by port where several pass at once. text: how the
    condition was written. number: its name for people, 0 until it is set. hits: how often
    processes stopped.
    """

    def __init__(
        self, node: str, port: str = "", *, condition: Condition | None = None, text: str = ""
    ) -> None:
        self.node = node
        self.port = port
        self.text = text
        self.hits = 0
        self.number = 0
        self._condition = condition

    def catches(self, spot: Spot, *, begins: bool) -> bool:
        """Whether a process stops at this spot. begins: a root process begins there.

        Raises what the condition raises.
        """
        if self.node != ANY and not f"/{spot.node}".endswith(f"/{self.node}"):
            return False
        if self.port in ("", ANY):
            wanted = spot.side is Side.IN or begins or self.port == ANY
            return wanted and self._holds(spot.payload)
        return self.port in spot.packets and self._holds(spot.packets[self.port])

    def _holds(self, payload: Payload) -> bool:
        return self._condition is None or self._condition(payload)

    def __str__(self) -> str:
        place = f"{self.node}.{self.port}" if self.port else self.node
        return f"{place} if {self.text}" if self.text else place
