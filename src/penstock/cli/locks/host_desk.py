"""Locks of runs on a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.cli.locks.desk import Asked
from penstock.cli.runs.host_desk import HostRuns
from penstock.core.locks import Decision, LockRecord, fold_locks

if TYPE_CHECKING:
    from datetime import datetime

    from penstock.api import LockView
    from penstock.client import AsyncClient
    from penstock.core.payload import Payload


class HostLocks:
    """The locks that a host shows to whoever asks."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self.runs = HostRuns(client)

    async def inbox(self) -> list[Asked]:
        return [Asked(view.fid, view.flow, _record(view)) for view in await self._client.inbox()]

    async def locks(self, fid: str) -> list[LockRecord]:
        # From the stream: it tells of the candidates, too.
        return list(fold_locks(await self.runs.events(fid)).values())

    async def submit(self, fid: str, lid: str, value: Payload, *, id: str) -> Decision:  # noqa: A002
        view = await self._client.run(fid).submit(lid, value, key=id)
        return Decision(view.outcome, tuple(view.reasons), view.value)

    async def is_left(self, fid: str) -> bool:  # noqa: ARG002 - of whichever run
        return False  # a host goes on by itself


def _record(view: LockView) -> LockRecord:
    return LockRecord(
        view.lid,
        name=view.name,
        node=view.node,
        title=view.title,
        description=view.description,
        schema=view.schema,
        data=view.data,
        opened=_seconds(view.opened) or 0.0,
        expires=_seconds(view.expires),
        state=view.state,
    )


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
