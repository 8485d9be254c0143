"""What the engine asks of a store. Stores know nothing of the engine but this."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from enum import StrEnum, auto
from typing import Any, Final, Protocol

import msgspec

from penstock.core.audit import AuditTrail
from penstock.core.catalog import Catalog
from penstock.core.events import Event
from penstock.core.spec import DEFAULT_NAMESPACE
from penstock.core.states import RunState

INLINE: Final = "inline"
"""The executor of a run that the runtime's own process executes."""


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run at a glance. Everything in it can be derived from its stream.

    flow: its name. source: what its revision is made of, `graph` or `python`.
    revision: the digest of what it runs. wake_at: when a waiting run goes on, in epoch
    seconds, or None. owner: the runtime that executes it, or empty.
    started, ended: epoch seconds. seq: the last event that is on disk.
    namespace: that of its flow. launcher: the id of the principal who began it, or empty.
    executor: where it is executed. key: what its launcher knew it by before it had an id, or
    empty; no two runs have the same. locks: how many of its locks are open.
    """

    fid: str
    flow: str
    source: str = "graph"
    revision: str = ""
    state: RunState = RunState.PENDING
    wake_at: float | None = None
    owner: str = ""
    started: float = 0.0
    ended: float | None = None
    error: str = ""
    seq: int = 0
    namespace: str = DEFAULT_NAMESPACE
    launcher: str = ""
    executor: str = INLINE
    key: str = ""
    locks: int = 0


class RunChange(msgspec.Struct, kw_only=True):
    """What a commit changes in a run's row; a field left UNSET stays as it is."""

    fid: str
    state: RunState | msgspec.UnsetType = msgspec.UNSET
    wake_at: float | None | msgspec.UnsetType = msgspec.UNSET
    owner: str | msgspec.UnsetType = msgspec.UNSET
    ended: float | None | msgspec.UnsetType = msgspec.UNSET
    error: str | msgspec.UnsetType = msgspec.UNSET
    locks: int | msgspec.UnsetType = msgspec.UNSET


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """The runs that a principal may see: those it launched, of these flows, of these namespaces.

    Any of the three is enough. Without a launcher, nobody's runs are not seen for being nobody's.
    """

    launcher: str = ""
    flows: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()

    def admits(self, row: RunRow) -> bool:
        """Whether it shows this run."""
        return (
            row.flow in self.flows
            or row.namespace in self.namespaces
            or (self.launcher != "" and row.launcher == self.launcher)
        )


class RunQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs, newest first. What is left empty holds for every run.

    states: any of them. namespace: that of the flow. since, until: began at or after the one and
    before the other, in epoch seconds. locked: those with open locks alone. sight: those that
    it shows alone. before: goes on behind the last fid of a page. limit: how many at most.
    """

    states: tuple[RunState, ...] = ()
    namespace: str = ""
    flow: str = ""
    launcher: str = ""
    since: float | None = None
    until: float | None = None
    locked: bool = False
    sight: Sight | None = None
    before: str = ""
    limit: int | None = None

    def admits(self, row: RunRow) -> bool:
        """Whether a run is one of them, wherever the limit may cut."""
        return (
            (not self.states or row.state in self.states)
            and self.namespace in ("", row.namespace)
            and self.flow in ("", row.flow)
            and self.launcher in ("", row.launcher)
            and (self.since is None or row.started >= self.since)
            and (self.until is None or row.started < self.until)
            and (not self.locked or row.locks > 0)
            and (self.sight is None or self.sight.admits(row))
            and (not self.before or row.fid < self.before)
        )


EVERY_RUN: Final = RunQuery()


class Batch:
    """One commit: new runs, new events by run, and changed rows. All or nothing."""

    __slots__ = ("changes", "events", "runs")

    def __init__(self) -> None:
        self.runs: list[RunRow] = []
        self.events: dict[str, list[Event]] = {}
        self.changes: dict[str, RunChange] = {}

    def __bool__(self) -> bool:
        return bool(self.events or self.runs or self.changes)

    def concerns(self, fid: str) -> bool:
        """Whether something of this run is to be written."""
        return fid in self.events or fid in self.changes or any(row.fid == fid for row in self.runs)

    def without(self, fid: str) -> None:
        """Leave one run out of the commit."""
        self.runs = [row for row in self.runs if row.fid != fid]
        self.events.pop(fid, None)
        self.changes.pop(fid, None)


class Shift(StrEnum):
    """What happened to the ownership of runs.

    ORPHANED: a runtime died, so there may be runs to claim. LOST: this runtime was taken
    for dead, so what it executes may be another's by now.
    """

    ORPHANED = auto()
    LOST = auto()


class Store(Catalog, AuditTrail, Protocol):
    """A place where runs and their streams are kept, specs and values, and the audit trail.

    Every method raises a StoreError of core/errors.py and nothing else. `commit` returns
    when the batch is on disk; it refuses, with StoreError, a batch whose events do not
    follow the last seq of their run, so two writers can never share a run, with RunExists one
    that creates a run whose fid is taken, and with KeyTaken one whose key is. Where ownership
    can be lost, it refuses with StoreLost what this store's runtime has lost.
    """

    @property
    def url(self) -> str: ...

    @property
    def durable(self) -> bool:
        """Whether what was committed outlives the process."""
        ...

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def commit(self, batch: Batch) -> None: ...

    async def events(self, fid: str, *, after: int = 0, limit: int | None = None) -> list[Event]:
        """The run's events with a seq above `after`, in order.

        limit: how many are enough; a page may be longer, where a store reads them together.
        """
        ...

    async def run(self, fid: str) -> RunRow | None: ...

    async def runs(self, query: RunQuery = EVERY_RUN) -> list[RunRow]:
        """The runs that a query asks for, newest first."""
        ...

    async def launched(self, key: str) -> RunRow | None:
        """The run that was begun with this key."""
        ...

    async def save_revision(self, digest: str, document: dict[str, Any]) -> None:
        """Keep what a run executes; the same digest again changes nothing."""
        ...

    async def revision(self, digest: str) -> dict[str, Any] | None: ...

    async def claim(self, fids: Sequence[str] | None = None) -> list[RunRow]:
        """Take over unfinished runs that no live runtime owns, all of them or just these.

        The rows come back owned by this store's `owner`, oldest first.
        """
        ...

    async def alive(self, owner: str) -> bool:
        """Whether the runtime of this name still lives."""
        ...

    @property
    def owner(self) -> str:
        """The name under which this store's runtime owns runs; another one after a LOST."""
        ...

    @property
    def held(self) -> bool:
        """Whether it is certain at this moment that nobody else may claim this owner's runs."""
        ...

    async def hold(self) -> None:
        """Make certain of it. Raises StoreLost when it is too late."""
        ...

    def shifts(self) -> AsyncIterator[Shift]:
        """What happens to ownership, as it happens; a store may have nothing to tell, ever."""
        ...

    async def signal(self, fid: str, signal: str) -> None:
        """Leave word for the runtime that owns this run."""
        ...

    def signals(self) -> AsyncIterator[tuple[str, str]]:
        """Words left for runs that this store's runtime owns, each once, as they come."""
        ...

    async def changed(self, fid: str, *, after: int) -> None:
        """Return when another process may have committed events of this run."""
        ...
