"""Runs on a host."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from penstock.core.errors import RunNotFound
from penstock.core.spec import FlowSpec, Link, NodeSpec
from penstock.core.store import RunRow

if TYPE_CHECKING:
    from pathlib import Path

    from penstock.api import FileView, RunView
    from penstock.client import AsyncClient
    from penstock.core.events import Event
    from penstock.core.store import RunQuery

_PAGE = 1000
"""The largest page of a host."""


class HostRuns:
    """The runs that a host shows to whoever asks."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def run(self, fid: str) -> RunRow | None:
        try:
            return row_of(await self._client.run(fid).show())
        except RunNotFound:
            return None

    async def runs(self, query: RunQuery, /) -> list[RunRow]:
        limit = query.limit
        views = self._client.runs(
            flow=query.flow,
            states=query.states,
            launcher=query.launcher,
            since=_moment(query.since),
            until=_moment(query.until),
            before=query.before,
            page=_PAGE if limit is None else min(limit, _PAGE),
        )
        found: list[RunRow] = []
        async for view in views:
            found.append(row_of(view))
            if len(found) == limit:
                break
        return found

    async def events(self, fid: str) -> list[Event]:
        return [event async for event in self._client.run(fid).events(follow=False)]

    def follow(self, fid: str) -> AsyncIterator[Event]:
        return self._client.run(fid).events()

    async def executed(self, row: RunRow) -> bool:  # noqa: ARG002 - of whichever run
        return True  # a host goes on by itself

    async def graph(self, row: RunRow) -> FlowSpec | None:
        view = await self._client.run(row.fid).graph()
        if view.source != "graph":
            return None
        ends = {name for link in view.links for name in (link.source, link.target)}
        kinds = {
            node.name: node.kind for node in view.nodes if "/" not in node.path or node.name in ends
        }
        nodes = tuple(
            NodeSpec(
                kind=kind,
                name=name,
                links=tuple(
                    Link(port=link.port, node=link.target, to=link.to)
                    for link in view.links
                    if link.source == name
                ),
            )
            for name, kind in kinds.items()
        )
        return FlowSpec(name=view.flow, nodes=nodes)

    async def files(self, fid: str) -> list[FileView]:
        return await self._client.run(fid).files()

    async def download(self, fid: str, name: str, to: Path) -> Path:
        return await self._client.run(fid).download(name, to)

    async def cancel(self, fid: str, reason: str) -> None:
        await self._client.run(fid).cancel(reason)


def row_of(view: RunView) -> RunRow:
    """The run as a store would tell of it."""
    return RunRow(
        fid=view.fid,
        flow=view.flow,
        revision=view.revision,
        state=view.state,
        wake_at=_seconds(view.wake_at),
        started=_seconds(view.started) or 0.0,
        ended=_seconds(view.ended),
        error="" if view.error is None else view.error.message,
        seq=view.seq,
        namespace=view.namespace,
        launcher=view.launcher,
        executor=view.executor,
        locks=len(view.locks),
    )


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
