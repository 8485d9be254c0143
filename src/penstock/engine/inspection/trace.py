"""Traces: which way packets came, within one run."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from penstock.core.payload import Payload
from penstock.core.ports import Emit

if TYPE_CHECKING:
    from penstock.engine.plan import Route

REMEMBERED: Final = 10_000
"""So many packets, and firings, of one run are remembered; the latest ones."""


class Passage(msgspec.Struct, frozen=True, gc=True):
    """A packet on its way over one link. number: counts the packets of a run.

    causes: the packets that the firing which sent it had begun with.
    """

    number: int
    source: str
    port: str
    target: str
    to: str
    payload: Payload
    causes: tuple[Passage, ...]

    def __str__(self) -> str:
        if (self.source, self.port) == (self.target, self.to):  # nothing sent it: it was put there
            return f"→ {self.target}.{self.to}"
        return f"{self.source}.{self.port} → {self.target}.{self.to}"


class Trace:
    """Remembers the packets of one run, each with those that it came of."""

    def __init__(self) -> None:
        self._passages: deque[Passage] = deque(maxlen=REMEMBERED)
        self._causes: OrderedDict[str, tuple[Passage, ...]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def leaves(
        self, firing: str, port: str, payload: Payload, routes: Iterable[Route], path: str
    ) -> None:
        """A firing sends a packet, or several, over these links.

        path: that of the process that they lead into.
        """
        causes = self._causes.get(firing, ())
        packets = payload if type(payload) is Emit else (payload,)
        for route in routes:
            for packet in packets:
                self._count += 1
                target = path + route.target.name
                self._passages.append(
                    Passage(self._count, firing, port, target, route.port, packet, causes)
                )

    def arrives(self, firing: str, target: str, packets: Mapping[str, Payload], caller: str) -> None:
        """A firing begins with these packets. target: the firing without its branch.

        caller: the firing around it, whose packets these are where no link brought them.
        """
        found = [self._passage(target, to, payload) for to, payload in packets.items()]
        causes = tuple(each for each in found if each is not None)
        self._causes[firing] = causes or self._causes.get(caller, ())
        if len(self._causes) > REMEMBERED:
            self._causes.popitem(last=False)

    def history(self, firing: str) -> list[Passage]:
        """Every packet that led to a firing, the oldest first."""
        found: dict[int, Passage] = {}
        stack = list(self._causes.get(firing, ()))
        while stack:
            passage = stack.pop()
            if passage.number not in found:
                found[passage.number] = passage
                stack += passage.causes
        return [found[number] for number in sorted(found)]

    @property
    def latest(self) -> list[Passage]:
        """The packets so far, as far as they are remembered, the oldest first."""
        return list(self._passages)

    def _passage(self, target: str, to: str, payload: Payload) -> Passage | None:
        """The packet that has arrived: this very object, or the latest one at this port."""
        latest: Passage | None = None
        for passage in reversed(self._passages):
            if passage.target == target and passage.to == to:
                if passage.payload is payload:
                    return passage
                latest = latest or passage
        return latest
