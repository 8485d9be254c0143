"""The resident runtime of one namespace: it follows the change stream, and keeps the table in step."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

from penstock.core.catalog import DOCUMENTS, Collection, Entry
from penstock.core.errors import PenstockError, StoreError
from penstock.core.payload import Error, Payload
from penstock.core.spec import EnvRef
from penstock.engine.catalog.specs import Specs
from penstock.engine.catalog.stored import StoredSpec
from penstock.engine.observation import masked
from penstock.engine.observer import Subject
from penstock.engine.redaction import Redactor
from penstock.engine.resident import entry as entries
from penstock.engine.resident.draft import Draft, Drafter, Sheet, distinct
from penstock.engine.resident.recorded import Recorder
from penstock.engine.resident.reports import Reporter
from penstock.engine.resident.roots import Roots
from penstock.engine.resident.symbol import Report, Symbol
from penstock.engine.resident.table import DRAIN_SECONDS, SymbolTable
from penstock.engine.resident.trigger import TriggerContext
from penstock.engine.syscalls.table import syscalls

if TYPE_CHECKING:
    from penstock.core.clock import Timer
    from penstock.engine.catalog.values import Values
    from penstock.engine.flow import Flow
    from penstock.engine.runtime import Runtime

RETRY_SECONDS: Final = 1.0
"""After a look at the store that failed, when the next one comes."""

PATIENCE_SECONDS: Final = 60.0
"""What would not load is tried again after a second, then later and later, and this often at least."""


class Resident:
    """Serves a namespace from `async with` to its end.

    runtime: executes the processes; it must be open. values: the value documents of the
    store. given: others by name, which win over those. env: texts that every spec sees as
    variables. drain_seconds: how long processes may go on with a node that was replaced or is
    to go.
    """

    def __init__(
        self,
        runtime: Runtime,
        namespace: str,
        *,
        values: Values,
        given: Mapping[str, Payload] | None = None,
        env: Mapping[str, str] | None = None,
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        self.runtime = runtime
        self.namespace = namespace
        self.roots = Roots(runtime, namespace)
        self.position = 0
        self._scheme = runtime.loader.scheme
        self._specs = Specs(runtime.store, scheme=self._scheme, clock=runtime.clock)
        self._value_store = values
        self._given = dict(given or {})
        self._values: dict[str, Payload] = {}
        self._ambient = {name: EnvRef(data=text) for name, text in (env or {}).items()}
        self._sheets: dict[str, Sheet] = {}  # by id
        self._flows: dict[str, Sheet] = {}  # by name
        self._stale: set[str] = set()
        self._shared: dict[type, Any] = {}
        self._recorder = Recorder(
            runtime,
            namespace,
            scheme=self._scheme,
            symbols=lambda: self.table.symbols,
            ambient=self._ambient,
            values=lambda: self._values,
            find=lambda reference, binder: self._drafter().find(reference, binder),
        )
        self.table = SymbolTable(
            self.roots,
            renew=lambda draft: self._drafter().draft(draft.sheet),
            attach=self._attach,
            gone=self._retire,
            failed=self._failed,
            drain_seconds=drain_seconds,
        )
        self._reporter = Reporter(runtime, namespace, failed=lambda error: self._failed("", error))
        runtime.syscalls.update(syscalls(self, self._specs, values))
        self._moved = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._retry: Timer | None = None
        self._patience = RETRY_SECONDS
        self._changing = asyncio.Lock()
        self._closed = False

    async def __aenter__(self) -> Self:
        try:
            await self._read_all()
            await self._reload(changes=len(self._sheets))
        except BaseException:
            await self.__aexit__()
            raise
        self._own(self._follow(), f"penstock:resident:{self.namespace}")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the triggers, let what runs come to its end, and unload everything."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        async with self._changing:
            self._closed = True
            if self._retry is not None:
                self._retry.cancel()
            await self.table.close()
            await self._reporter.withdraw()

    @property
    def reports(self) -> list[Report]:
        """What became of every spec, by key."""
        return [self.table.reports[key] for key in sorted(self.table.reports)]

    async def reached(self, position: int) -> None:
        """Return when every change up to this place of the change stream is carried out."""
        while self.position < position:
            await self._moved.wait()

    async def refresh(self) -> None:
        """Carry out what was asked of the table: a node taken down, or put up again."""
        await self._reload(changes=0)

    def refresh_soon(self) -> None:
        """The same behind the back of who asks, who may be part of what is to go."""
        self._own(self.refresh(), f"penstock:refresh:{self.namespace}")

    def renew(self, key: str) -> None:
        """Have a node made anew by the next refresh."""
        self._stale.add(key)
        self.table.candidates.put_up(key)

    def flow(self, name: str) -> Flow:
        """A flow of this namespace. Raises EntryNotFound, or DocumentError when it is broken."""
        symbol = self.table.symbols.get(name)
        if symbol is not None and symbol.draft.sheet.is_flow:
            return symbol.draft.flows[0]  # one more for each who asks would never be unloaded
        return self._drafter().flow(name)

    def cut(self) -> bool:
        """End every process that is under way; whether there was any.

        Recorded runs are left to be resumed: only who waits for their results is let go.
        """
        ended = [self.roots.cancel(ident) for ident in list(self.roots.processes)]
        return self._recorder.release() or any(ended)

    def _own(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = self.runtime.own(work, name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- following ----------------------------------------------------------------

    async def _follow(self) -> None:
        while True:
            try:
                async for changes in self.runtime.store.changes(after=self.position):
                    await self._take(changes)
            except Exception as error:
                # The store, or a defect, in a kind perhaps: it is told, and the same changes are
                # taken again with whatever comes after them. One of those may mend it.
                self._failed("", error)
            await asyncio.sleep(RETRY_SECONDS)

    async def _take(self, changes: Sequence[Entry]) -> None:
        """Carry out some changes; those of other namespaces, and of accounts, are none of ours."""
        own = [
            change
            for change in changes
            if change.namespace == self.namespace and change.collection in DOCUMENTS
        ]
        for change in own:
            if change.collection is Collection.SPECS:
                self._take_spec(StoredSpec.of(change))
        values_changed = any(change.collection is Collection.VALUES for change in own)
        if values_changed:
            await self._read_values()
        if own:
            await self._reload(changes=len(own), values_changed=values_changed)
        self.position = changes[-1].position
        self._moved.set()
        self._moved = asyncio.Event()

    def _take_spec(self, spec: StoredSpec) -> None:
        if spec.deleted:
            self._sheets.pop(spec.id, None)
        else:
            self._sheets[spec.id] = _sheet(spec)

    async def _read_all(self) -> None:
        """Everything at once. What comes meanwhile is told again by the change stream."""
        position = await self.runtime.store.position()
        await self._read_values()
        found = await self._specs.read(namespace=self.namespace)
        self._sheets = {spec.id: _sheet(spec) for spec in found}
        self.position = position

    async def _read_values(self) -> None:
        """The values that specs see. One that cannot be opened is as one that is not there."""
        try:
            self._values = {**await self._value_store.payloads(self.namespace), **self._given}
        except StoreError:
            raise
        except PenstockError as error:
            self._failed("", error)

    # --- reloading ----------------------------------------------------------------

    async def _reload(self, *, changes: int, values_changed: bool = False) -> None:
        """Bring the table in step with the sheets, one change after the other."""
        async with self._changing:
            if self._closed:
                return
            clock, observer = self.runtime.clock, self.runtime.observer
            began = clock.monotonic()
            before = self.table.reports
            drafts = self._draft_all(values_changed=values_changed)
            self.roots.flow.redactor = Redactor(self.table.candidates.secrets(drafts)) or None
            await self.table.update(drafts)
            if observer is not None:
                self._tell(before)
                observer.reloaded(self.namespace, changes, clock.monotonic() - began, None)
            await self._reporter.tell(self.reports, self.roots.flow.redactor)
            self._plan_retry()

    def _plan_retry(self) -> None:
        """Have what would not load tried again: its reasons may lie outside of the graph."""
        if not self.table.candidates.refused:
            self._patience = RETRY_SECONDS
        elif self._retry is None:
            self._retry = self.runtime.clock.call_later(self._patience, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self._patience = min(2 * self._patience, PATIENCE_SECONDS)
        self.table.candidates.try_again()
        self.refresh_soon()

    def _draft_all(self, *, values_changed: bool) -> dict[str, Draft]:
        """The drafts of all sheets; those of unchanged sheets are kept, with their nodes."""
        flows = {sheet.name: sheet for sheet in self._sheets.values() if sheet.is_flow}
        changed = {
            name for name in flows.keys() | self._flows if flows.get(name) is not self._flows.get(name)
        }
        self._flows = flows
        drafter = self._drafter()
        stale, self._stale = self._stale, set()
        former = {
            draft.sheet.id: draft
            for key, draft in self.table.candidates.newest.items()
            if key not in stale
        }
        drafts: dict[str, Draft] = {}
        for sheet in distinct(self._sheets.values()):
            known = former.get(sheet.id)
            revalued = known is not None and values_changed and bool(known.values or known.calls)
            if known is None or known.sheet != sheet or revalued or known.calls & changed:
                draft = drafter.draft(sheet)
                drafts[sheet.key] = draft if known is None else draft.with_node_of(known)
            else:
                drafts[sheet.key] = known
        return drafts

    def _drafter(self) -> Drafter:
        return Drafter(
            self._scheme,
            ambient=self._ambient,
            values=self._values,
            flows=self._flows,
            outside=self.runtime.loader.find,
        )

    # --- what the table asks for --------------------------------------------------

    def _attach(self, symbol: Symbol) -> TriggerContext:
        return TriggerContext(
            symbol,
            namespace=self.namespace,
            recorder=self._recorder,
            shared=self._shared,
            failed=self._failed,
        )

    def _retire(self, entry: entries.Entry) -> None:
        if self._recorder.knows(entry):
            self.runtime.own(self._recorder.retire(entry), f"penstock:retire:{entry.key}")

    def _failed(self, key: str, error: BaseException) -> None:
        """Something went wrong beside the processes: it is told, and everything else goes on."""
        observer = self.runtime.observer
        if observer is not None and isinstance(error, Exception):
            told = masked(Error.from_exception(error, node=key), self.roots.flow.redactor)
            observer.trigger_failed(Subject(self.namespace, key), told)

    def _tell(self, before: Mapping[str, Report]) -> None:
        """Tell the observer which symbols have another status now."""
        observer = self.runtime.observer
        assert observer is not None
        for key, report in self.table.reports.items():
            known = before.get(key)
            if known is None or (known.status, known.reason) != (report.status, report.reason):
                subject = Subject(self.namespace, key)
                observer.symbol_changed(subject, report.kind, report.status, report.reason)
        for key in before.keys() - self.table.reports.keys():
            observer.symbol_changed(Subject(self.namespace, key), before[key].kind, "", "")


def _sheet(spec: StoredSpec) -> Sheet:
    return Sheet(id=spec.id, name=spec.name, revision=spec.revision, document=spec.document)
