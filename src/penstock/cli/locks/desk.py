"""The desk: where locks are looked at and answered, for one command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol

from penstock.cli.lookup import find_run
from penstock.core.errors import LockNotFound
from penstock.core.problems import suggest

if TYPE_CHECKING:
    from penstock.cli.app import App
    from penstock.cli.runs.desk import RunDesk
    from penstock.core.locks import Decision, LockRecord
    from penstock.core.payload import Payload


class Asked(NamedTuple):
    """A lock, and which run asks."""

    fid: str
    flow: str
    lock: LockRecord


class LockDesk(Protocol):
    """What can be asked about locks, wherever their runs are kept.

    Methods raise the errors of core/errors.py, those about the store or the host among them.
    """

    @property
    def runs(self) -> RunDesk: ...

    async def inbox(self) -> list[Asked]:
        """The open locks of all runs, those of the newest runs first."""
        ...

    async def locks(self, fid: str) -> list[LockRecord]:
        """All locks of a run, in the order they were opened."""
        ...

    async def submit(self, fid: str, lid: str, value: Payload, *, id: str) -> Decision:  # noqa: A002
        """Submit a candidate. Only at a desk that is opened for acting."""
        ...

    async def is_left(self, fid: str) -> bool:
        """Whether nobody goes on with the run once this desk is closed."""
        ...


@asynccontextmanager
async def opened_locks(
    app: App, *, acting: bool = False, patient: bool = True
) -> AsyncIterator[LockDesk]:
    """The desk that the settings name: that of a host, or that of the store.

    acting: something is to be submitted, for which a store needs a runtime. patient: wait a
    little for a host that does not answer.
    """
    if app.host:
        from penstock.cli.locks.host_desk import HostLocks

        async with app.client(patient=patient) as client:
            yield HostLocks(client)
        return
    from penstock.cli.locks.store_desk import StoreLocks

    store = app.open_store(create=False)
    if acting:
        from penstock.engine.runtime import Runtime

        async with Runtime(
            store,
            loader=app.loader(),
            recover=False,
            values_of=app.values_of(store),
            executors=app.executors(),
            files=app.files(),
        ) as runtime:
            yield StoreLocks(store, runtime)
        return
    await store.open()
    try:
        yield StoreLocks(store)
    finally:
        await store.close()


async def find_lock(desk: LockDesk, fid: str, wanted: str) -> Asked:
    """The lock that an id, its beginning or a name means; without any, the one that is open.

    Raises RunNotFound, and LockNotFound when none or several fit.
    """
    row = await find_run(desk.runs, fid)
    locks = await desk.locks(row.fid)
    found = [lock for lock in locks if lock.lid == wanted] or [
        lock for lock in locks if (lock.lid.startswith(wanted) or lock.name == wanted)
    ]
    # An open one is meant rather than one that is settled: a loop asks again under the same name.
    found = [lock for lock in found if lock.open] or (found if wanted else [])
    if len(found) == 1:
        return Asked(row.fid, row.flow, found[0])
    if not wanted and not found:
        raise LockNotFound(f"run `{row.fid}` has no open lock", fid=row.fid, remedy=_list(row.fid))
    if not found:
        hint = suggest(wanted, [lock.name for lock in locks])
        text = f"run `{row.fid}` has no lock `{wanted}`"
        raise LockNotFound(f"{text}; {hint}" if hint else text, fid=row.fid, remedy=_list(row.fid))
    some = ", ".join(f"{lock.lid} ({lock.name})" for lock in found[:5])
    more = ", …" if len(found) > 5 else ""
    raise LockNotFound(
        f"{len(found)} locks of run `{row.fid}` fit: {some}{more}",
        fid=row.fid,
        remedy="name one of them",
    )


def _list(fid: str) -> str:
    return f"`penstock locks ls {fid}` lists its locks"
