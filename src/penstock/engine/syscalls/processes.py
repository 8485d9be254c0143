"""`processes.…`: root processes, those of triggers under way here and the recorded runs of the store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.core.payload import Payload
from penstock.core.states import RunState
from penstock.core.store import RunQuery
from penstock.engine.catalog.filters import Filter, read_filters
from penstock.engine.syscalls.opcodes import refusal

if TYPE_CHECKING:
    from penstock.engine.resident.resident import Resident
    from penstock.engine.resident.roots import RootProcess


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
            raise refusal("name a `node` or a `flow`", "inputs")
        if wanted.flow:
            run = await self._runtime.launch(self._resident.flow(wanted.flow), wanted.inputs)
            return {"id": run.fid, "result": await run.result()} if wanted.wait else {"id": run.fid}
        try:
            entry = self._resident.table.entry(wanted.node, wanted.port)
        except KeyError as error:
            text = f"no active node takes a packet at `{wanted.node}.{wanted.port}`"
            raise refusal(text, "not found", remedy="`symbols.read` lists the nodes") from error
        task = self._runtime.own(entry.answer(wanted.payload), f"penstock:{wanted.node}")
        if wanted.wait:
            return {"result": await task}
        task.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.sleep(0)  # it begins, and has an id
        return {"id": next((each.id for each in self._live() if each.task is task), None)}

    async def read(self, payload: Payload) -> Payload:
        wanted = _filters(payload)
        live: list[Payload] = [
            {
                "id": each.id,
                "node": each.node,
                "port": each.port,
                "started": each.started,
                "recorded": False,
            }
            for each in self._live()
            if _means(wanted, each.id, each.node)
        ]
        unfinished = tuple(state for state in RunState if not state.terminal)
        rows = await self._runtime.runs(RunQuery(states=unfinished))
        recorded: list[Payload] = [
            {
                "id": row.fid,
                "flow": row.flow,
                "state": row.state.value,
                "started": row.started,
                "recorded": True,
            }
            for row in rows
            if _means(wanted, row.fid, row.flow)
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
            remedy = "say `cancelled` or `running`"
            raise refusal(f"a process cannot be made `{turn.state}`", "inputs", remedy=remedy)
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

    def _live(self) -> list[RootProcess]:
        return list(self._resident.roots.processes.values())


def _filters(payload: Payload) -> list[Filter]:
    """Filters that ask for what processes have: one by kind would mean all of them."""
    filters = read_filters(payload)
    if any(one.kind or one.namespace for one in filters):
        remedy = "choose by `id`, or by `name`: the node that started it, or the flow"
        raise refusal("processes have neither kind nor namespace", "inputs", remedy=remedy)
    return filters


def _means(filters: Iterable[Filter], ident: str, name: str) -> bool:
    return any(one.id in ("", ident) and one.name in ("", name) for one in filters)


def _taken(payload: Payload, kind: Any) -> Any:
    try:
        return msgspec.convert(payload, kind)
    except msgspec.ValidationError as error:
        fields = ", ".join(f"`{name}`" for name in kind.__struct_fields__)
        raise refusal(str(error), "inputs", remedy=f"send a mapping of {fields}") from error
