"""System calls: how a graph reads and changes specs, values, symbols and processes.

The engine itself changes none of them. A `syscall` node does, by an opcode of this table,
so a workflow decides who may do what, and how it looks from outside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from penstock.core.errors import (
    DocumentError,
    EntryNotFound,
    InputError,
    NodeError,
    PenstockError,
    RunBusy,
    RunNotFound,
    StoreConflict,
)
from penstock.core.payload import Payload, normalise
from penstock.core.states import RunState
from penstock.engine.catalog.draft import Change
from penstock.engine.catalog.filters import Filter, read_filters
from penstock.engine.catalog.stored import StoredSpec, StoredValue

if TYPE_CHECKING:
    from penstock.engine.catalog.specs import Specs
    from penstock.engine.catalog.values import Values
    from penstock.engine.resident.resident import Resident

Syscall = Callable[[Payload, str], Awaitable[Payload]]
"""What an opcode does with a payload; the second argument is the id of the process that asks."""

OPCODES: Final = tuple(
    f"{what}.{verb}"
    for what in ("nodes", "values", "symbols", "processes")
    for verb in ("create", "read", "update", "delete")
)

INVALID: Final = "invalid argument"
"""The code of every failure that is the caller's."""


def table(resident: Resident, specs: Specs, values: Values) -> dict[str, Syscall]:
    """Every opcode with what it does in this runtime."""
    families: dict[str, Any] = {
        "nodes": Nodes(specs, resident.namespace),
        "values": ValueCalls(values, resident.namespace),
        "symbols": Symbols(resident),
        "processes": Processes(resident),
    }
    found: dict[str, Syscall] = {}
    for opcode in OPCODES:
        family, _, verb = opcode.partition(".")
        call = getattr(families[family], verb)
        found[opcode] = _guarded(call, spares=opcode == "processes.delete")
    return found


def _guarded(call: Callable[..., Awaitable[Payload]], *, spares: bool) -> Syscall:
    """The call with every failure as one of the node that asked.

    spares: whether it must know who asks.
    """

    async def guarded(payload: Payload, caller: str) -> Payload:
        try:
            return normalise(await (call(payload, spare=caller) if spares else call(payload)))
        except (DocumentError, EntryNotFound, InputError, RunBusy, RunNotFound, StoreConflict) as error:
            raise NodeError(
                error.message, code=INVALID, details=_details(error), remedy=error.remedy
            ) from error
        except NodeError:
            raise
        except PenstockError as error:
            raise NodeError(error.message, code="store", remedy=error.remedy) from error

    return guarded


def _details(error: PenstockError) -> dict[str, Payload]:
    match error:
        case DocumentError():
            problems = [{"path": list(each.path), "message": each.message} for each in error.problems]
            return {"reason": "document", "problems": problems}
        case StoreConflict():
            return {"reason": "conflict", "field": error.field, "revision": error.found}
        case InputError():
            return {"reason": "inputs", "problems": list(error.problems)}
        case EntryNotFound() | RunNotFound():
            return {"reason": "not found"}
    return {"reason": "busy"}


class _Documents:
    """What `nodes` and `values` have in common: documents of the store.

    With nothing to choose by, everything outside of this namespace is meant: a graph that
    looks after others does not delete itself by accident.
    """

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def _own(self, namespace: str, filters: Sequence[Filter]) -> bool:
        """Whether something of this namespace was not asked for."""
        return namespace == self._namespace and filters == [Filter()]


class Nodes(_Documents):
    """The specs of the store, of whatever namespace."""

    def __init__(self, specs: Specs, namespace: str) -> None:
        super().__init__(namespace)
        self._specs = specs

    async def create(self, payload: Payload) -> Payload:
        _refuse_nothing(payload, "specs")
        return _like(payload, await self._specs.create(payload))

    async def read(self, payload: Payload) -> Payload:
        filters = read_filters(payload)
        found = await self._specs.find(filters)
        return [_spec(each) for each in found if not self._own(each.namespace, filters)]

    async def update(self, payload: Payload) -> Payload:
        _refuse_nothing(payload, "specs")
        return _like(payload, await self._specs.update(payload))

    async def delete(self, payload: Payload) -> Payload:
        filters = read_filters(payload)
        found = await self._specs.find(filters)
        ids = [Filter(id=each.id) for each in found if not self._own(each.namespace, filters)]
        return [_deleted(each) for each in await self._specs.delete(ids)] if ids else []


class ValueCalls(_Documents):
    """The values of the store; what they hold is never shown."""

    def __init__(self, values: Values, namespace: str) -> None:
        super().__init__(namespace)
        self._values = values

    async def create(self, payload: Payload) -> Payload:
        _refuse_nothing(payload, "values")
        return _like(payload, await self._values.create(payload))

    async def read(self, payload: Payload) -> Payload:
        filters = read_filters(payload)
        found = await self._values.find(filters)
        return [_value(each) for each in found if not self._own(each.namespace, filters)]

    async def update(self, payload: Payload) -> Payload:
        _refuse_nothing(payload, "values")
        return _like(payload, await self._values.update(payload))

    async def delete(self, payload: Payload) -> Payload:
        filters = read_filters(payload)
        found = await self._values.find(filters)
        ids = [Filter(id=each.id) for each in found if not self._own(each.namespace, filters)]
        return [_deleted(each) for each in await self._values.delete(ids)] if ids else []


class Symbols:
    """The live nodes of this runtime's own namespace.

    `create` has them active again, `delete` takes them down until then, and `update` makes
    them anew. What is asked for happens soon after the answer: a graph may ask it of itself.
    """

    def __init__(self, resident: Resident) -> None:
        self._resident = resident

    async def create(self, payload: Payload) -> Payload:
        return self._act(payload, self._resident.table.put_up)

    async def read(self, payload: Payload) -> Payload:
        return [msgspec.to_builtins(self._resident.table.reports[key]) for key in self._chosen(payload)]

    async def update(self, payload: Payload) -> Payload:
        return self._act(payload, self._resident.renew)

    async def delete(self, payload: Payload) -> Payload:
        return self._act(payload, self._resident.table.take_down)

    def _act(self, payload: Payload, act: Callable[[str], None]) -> list[Payload]:
        _refuse_nothing(payload, "symbols")
        keys = self._chosen(payload)
        if not keys:
            raise NodeError(
                "no symbol is meant by this", code=INVALID, details={"reason": "not found"},
                remedy="`symbols.read` lists them",
            )  # fmt: skip
        for key in keys:
            act(key)
        self._resident.refresh_soon()
        return list(keys)

    def _chosen(self, payload: Payload) -> list[str]:
        reports = self._resident.reports
        if payload is None:
            return [report.key for report in reports]
        wanted = payload if isinstance(payload, list) else [payload]
        names = {each for each in wanted if isinstance(each, str)}
        filters = read_filters([each for each in wanted if not isinstance(each, str)])
        return [
            report.key
            for report in reports
            if report.key in names
            or report.id in names
            or any(
                one.id in ("", report.id)
                and one.name in ("", report.key)
                and one.kind in ("", report.kind)
                and one.namespace in ("", self._resident.namespace)
                for one in filters
            )
        ]


class Start(msgspec.Struct, forbid_unknown_fields=True):
    """What `processes.create` takes: a node with a packet for it, or a flow with its inputs."""

    node: str = ""
    port: str = "in"
    payload: Any = None
    flow: str = ""
    inputs: dict[str, Any] = {}
    wait: bool = False


class Turn(msgspec.Struct, forbid_unknown_fields=True):
    """What `processes.update` takes."""

    id: str
    state: RunState
    reason: str = ""


class Processes:
    """Root processes: those of triggers under way here, and the recorded runs of the store."""

    def __init__(self, resident: Resident) -> None:
        self._resident = resident
        self._runtime = resident.runtime

    async def create(self, payload: Payload) -> Payload:
        """Start a process at a node's in-port, or a recorded run of a flow."""
        wanted = _taken(payload, Start)
        if bool(wanted.node) == bool(wanted.flow):
            raise NodeError("name a `node` or a `flow`", code=INVALID, details={"reason": "inputs"})
        if wanted.flow:
            run = await self._runtime.launch(self._resident.flow(wanted.flow), wanted.inputs)
            return {"id": run.fid, "result": await run.result()} if wanted.wait else {"id": run.fid}
        try:
            entry = self._resident.table.entry(wanted.node, wanted.port)
        except KeyError as error:
            raise NodeError(
                f"no active node takes a packet at `{wanted.node}.{wanted.port}`",
                code=INVALID,
                details={"reason": "not found"},
                remedy="`symbols.read` lists the nodes",
            ) from error
        task = self._runtime.own(entry.answer(wanted.payload), f"penstock:{wanted.node}")
        if wanted.wait:
            return {"result": await task}
        task.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.sleep(0)  # it begins, and has an id
        return {"id": next((each.id for each in self._live() if each.task is task), None)}

    async def read(self, payload: Payload) -> Payload:
        wanted = read_filters(payload)
        live: list[Payload] = [
            {
                "id": each.id,
                "node": each.node,
                "port": each.port,
                "started": each.started,
                "recorded": False,
            }
            for each in self._live()
            if any(one.id in ("", each.id) and one.name in ("", each.node) for one in wanted)
        ]
        rows = await self._runtime.runs(states=[state for state in RunState if not state.terminal])
        recorded: list[Payload] = [
            {
                "id": row.fid,
                "flow": row.flow,
                "state": row.state.value,
                "started": row.started,
                "recorded": True,
            }
            for row in rows
            if any(one.id in ("", row.fid) and one.name in ("", row.flow) for one in wanted)
        ]
        return live + recorded

    async def update(self, payload: Payload) -> Payload:
        """`state: cancelled` ends a process, `state: running` goes on with an unfinished run."""
        turn = _taken(payload, Turn)
        if turn.state is RunState.CANCELLED:
            await self._cancel(turn.id, turn.reason)
        elif turn.state is RunState.RUNNING:
            await self._runtime.resume(turn.id)
        else:
            raise NodeError(
                f"a process cannot be made `{turn.state}`", code=INVALID,
                details={"reason": "inputs"}, remedy="say `cancelled` or `running`",
            )  # fmt: skip
        return {"id": turn.id, "state": turn.state.value}

    async def delete(self, payload: Payload, *, spare: str = "") -> Payload:
        """End every process that is meant, but for the one to spare: that which asks."""
        found = await self.read(payload)
        assert isinstance(found, list)
        ids = [each["id"] for each in found if each["id"] != spare]
        for ident in ids:
            await self._cancel(ident, "a system call")
        return ids

    async def _cancel(self, ident: str, reason: str) -> None:
        if not self._resident.roots.cancel(ident):
            await self._runtime.cancel(ident, reason)

    def _live(self) -> list[Any]:
        return list(self._resident.roots.processes.values())


def _taken(payload: Payload, kind: Any) -> Any:
    try:
        return msgspec.convert(payload, kind)
    except msgspec.ValidationError as error:
        raise NodeError(
            f"{error}", code=INVALID, details={"reason": "inputs"},
            remedy=f"send a mapping of {', '.join(f'`{name}`' for name in kind.__struct_fields__)}",
        ) from error  # fmt: skip


def _refuse_nothing(payload: Payload, what: str) -> None:
    if payload in (None, [], {}):
        raise NodeError(
            f"there are no {what} in the payload", code=INVALID, details={"reason": "inputs"},
            remedy="send one mapping, or a list of them",
        )  # fmt: skip


def _like(payload: Payload, changes: Sequence[Change]) -> Payload:
    """What became of documents, one where one was given."""
    documents = [{**(each.after or {}), "revision": each.revision} for each in changes]
    return documents if isinstance(payload, list) else documents[0]


def _spec(spec: StoredSpec) -> Mapping[str, Any]:
    return {**spec.document, "revision": spec.revision}


def _value(value: StoredValue) -> Mapping[str, Any]:
    return {
        "id": value.id, "namespace": value.namespace, "name": value.name, "data": value.data,
        "annotations": value.annotations, "revision": value.revision,
    }  # fmt: skip


def _deleted(change: Change) -> Mapping[str, Any]:
    return {
        "id": change.id,
        "namespace": change.namespace,
        "name": change.name,
        "revision": change.revision,
    }
