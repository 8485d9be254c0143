"""Reports: what a runtime made of the specs of its namespace, told to everybody through the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

import msgspec

from penstock.core.errors import StoreError, StoreVersion
from penstock.engine.resident.symbol import Report, Status

if TYPE_CHECKING:
    from penstock.core.catalog import Catalog, RuntimeReport
    from penstock.engine.redaction import Redactor
    from penstock.engine.runtime import Runtime

RETRY_SECONDS: Final = 1.0
"""After a report that the store did not take, when it is told again."""

_SEVERITY: Final = list(Status)


class Reporter:
    """Tells the store what became of the specs of a namespace, whenever that is something new.

    failed: called when the store does not take it. It is tried again until it does.
    """

    def __init__(
        self, runtime: Runtime, namespace: str, *, failed: Callable[[StoreError], None]
    ) -> None:
        self._runtime = runtime
        self._namespace = namespace
        self._failed = failed
        self._wanted = b""
        self._told: bytes | None = b""  # None: nobody knows
        self._telling = asyncio.Lock()
        self._retry: asyncio.Task[None] | None = None

    async def tell(self, reports: Iterable[Report], redactor: Redactor | None) -> None:
        """Say this from now on. redactor: knows the secrets that a reason may have come upon."""
        self._wanted = msgspec.json.encode([_masked(report, redactor) for report in reports])
        await self._tell()

    async def withdraw(self) -> None:
        """Say nothing any more: the namespace is not served here."""
        if self._retry is not None:
            self._retry.cancel()
        self._wanted = b""
        await self._tell()

    async def _tell(self) -> None:
        told = await self._write()
        if not told and self._wanted and (self._retry is None or self._retry.done()):
            name = f"penstock:report:{self._namespace}"
            self._retry = self._runtime.own(self._tell_later(), name)

    async def _tell_later(self) -> None:
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            if await self._write():
                return

    async def _write(self) -> bool:
        """Whether the store has what is wanted now."""
        async with self._telling:
            wanted = self._wanted
            if wanted == self._told:
                return True
            self._told = None
            try:
                now = self._runtime.clock.now()
                await self._runtime.store.report(self._namespace, wanted, at=now)
            except StoreError as error:
                self._failed(error)
                return False
            self._told = wanted
            return True


async def statuses(store: Catalog, namespace: str) -> dict[str, list[Report]]:
    """What live runtimes made of the specs of a namespace: by spec id, a report of each runtime.

    Empty where no runtime serves the namespace. What became of the triggers of a flow is in the
    report of the flow. Raises StoreError.
    """
    found: dict[str, list[Report]] = {}
    for said in await store.reports(namespace):
        for key, report in _by_spec(_decoded(said)).items():
            found.setdefault(key, []).append(report)
    return found


def _masked(report: Report, redactor: Redactor | None) -> Report:
    if redactor is None or not report.reason:
        return report
    return msgspec.structs.replace(report, reason=redactor.text(report.reason))


def _decoded(said: RuntimeReport) -> list[Report]:
    try:
        return msgspec.json.decode(said.body, type=list[Report])
    except msgspec.MsgspecError as error:
        raise StoreVersion(
            f"what the runtime {said.owner} says of its specs cannot be read: {error}",
            remedy="it may be newer than this Penstock: pip install --upgrade penstock",
        ) from error


def _by_spec(reports: Iterable[Report]) -> dict[str, Report]:
    """One report for each spec: of a flow and its triggers the worst, as that of the flow."""
    found = {report.id: report for report in reports}
    for report in list(found.values()):
        flow = found.get(report.id.rpartition("/")[0])  # as a trigger's sheet is named
        if flow is not None and flow.kind == "flow":
            del found[report.id]
            if _SEVERITY.index(report.status) > _SEVERITY.index(flow.status):
                reason = f"`{report.key}`: {report.reason}"
                found[flow.id] = msgspec.structs.replace(flow, status=report.status, reason=reason)
    return found
