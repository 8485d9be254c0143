"""The flows of a runtime: loaded once, kept with the store, found again for a run."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from penstock.core.errors import RunNotFound
from penstock.core.payload import Payload
from penstock.core.policies import Record
from penstock.core.spec import DEFAULT_NAMESPACE
from penstock.engine.environment import mentioned

if TYPE_CHECKING:
    from penstock.core.store import RunRow, Store
    from penstock.engine.flow import Flow
    from penstock.engine.loading import Loader


ValuesOf = Callable[[str], Awaitable[Mapping[str, Payload]]]
"""The value documents of a namespace, by name and by id."""


class Revisions:
    """Flows by revision. A run keeps the revision that it started with.

    values_of: where the flows of a namespace find the values that the loader does not have.
    """

    def __init__(
        self,
        store: Store,
        loader: Loader,
        flows: Iterable[Flow],
        *,
        values_of: ValuesOf | None = None,
    ) -> None:
        self._values_of = values_of
        self._store = store
        self._loader = loader
        self._flows: dict[str, Flow] = {flow.revision: flow for flow in flows}
        self._loaded: dict[int, Flow] = {}
        self._users: Counter[int] = Counter()
        self._retired: set[int] = set()
        self._loading = asyncio.Lock()
        self._kept: set[str] = set()

    async def prepare(self, flow: Flow, *, load: bool = True) -> None:
        """Load a flow's nodes once, and keep its revision with the store.

        load: its nodes are needed here; otherwise it is executed elsewhere.
        """
        self._flows.setdefault(flow.revision, flow)
        if load and id(flow) not in self._loaded:
            async with self._loading:
                if id(flow) not in self._loaded:
                    await flow.load()
                    self._loaded[id(flow)] = flow
        if flow.revision not in self._kept and flow.settings.record is not Record.NONE:
            await self._store.save_revision(flow.revision, flow.document())
            self._kept.add(flow.revision)

    async def of(self, row: RunRow) -> Flow:
        """The flow of a run: one that is known here, or else what the store kept of it.

        A Python flow that is known by its name serves, too: whether its code still fits
        the run is for the replay to say. Raises RunNotFound, DocumentError, SettingsError.
        """
        flow = self._flows.get(row.revision) or self._by_name(row.flow)
        if flow is None:
            document = await self._store.revision(row.revision)
            if document is None:
                raise RunNotFound(f"the store does not hold revision {row.revision} of run `{row.fid}`")
            flow = self._flows[row.revision] = await self._restore(document)
        return flow

    async def values(self, flow: Flow) -> dict[str, Payload]:
        """The value documents that a flow refers to, and no others."""
        names = set(mentioned(flow.document()))
        if not names:
            return {}
        known = {} if self._values_of is None else await self._values_of(flow.namespace)
        return {name: value for name, value in {**known, **self._loader.values}.items() if name in names}

    async def _restore(self, document: dict[str, Any]) -> Flow:
        """The flow with the values of its namespace, where it wants any."""
        values = None
        if self._values_of is not None and any(mentioned(document)):
            values = await self._values_of(document.get("namespace", DEFAULT_NAMESPACE))
        return self._loader.restore(document, values=values)

    def _by_name(self, name: str) -> Flow | None:
        flows = (flow for flow in self._flows.values() if flow.source == "python")
        return next((flow for flow in flows if flow.name == name), None)

    def acquire(self, flow: Flow) -> None:
        """An execution of this flow begins."""
        self._users[id(flow)] += 1

    def release(self, flow: Flow) -> bool:
        """An execution is over; whether the flow was retired and this was the last one."""
        self._users[id(flow)] -= 1
        if self._users[id(flow)]:
            return False
        del self._users[id(flow)]
        return id(flow) in self._retired

    async def retire(self, flow: Flow) -> None:
        """Nothing will be started with this flow any more: unload it when nobody uses it.

        A run that waits on disk finds its revision in the store.
        """
        if self._users[id(flow)]:
            self._retired.add(id(flow))
        else:
            await self.drop(flow)

    async def drop(self, flow: Flow) -> None:
        """Unload a flow and forget it."""
        self._retired.discard(id(flow))
        if self._flows.get(flow.revision) is flow:
            del self._flows[flow.revision]
        if self._loaded.pop(id(flow), None) is not None:
            await flow.unload()
        for called in getattr(flow, "calls", ()):
            await self.drop(called)

    async def unload(self) -> None:
        """Unload every flow, the last loaded first; the first error is raised at the end."""
        errors: list[Exception] = []
        while self._loaded:
            try:
                await self._loaded.popitem()[1].unload()
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]
