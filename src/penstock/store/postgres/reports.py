"""What runtimes say of the specs of a namespace, each for as long as it has its lease."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.core.catalog import RuntimeReport
from penstock.store.postgres import statements
from penstock.store.postgres.failures import lost

if TYPE_CHECKING:
    from penstock.store.postgres.lease import Lease
    from penstock.store.postgres.line import Line


class Reports:
    """The rows of `reports`. A runtime that says something needs a lease to be known as alive.

    A lease that is lost takes what was said under it along; so it is said again under the next.
    """

    def __init__(self, *, lease: Lease, writing: Line, reading: Line) -> None:
        self._lease = lease
        self._writing = writing
        self._reading = reading
        self._own: dict[str, tuple[float, bytes]] = {}
        lease.on_taken = self._say_again

    async def put(self, namespace: str, body: bytes, *, at: float) -> None:
        """Say this of a namespace from now on. Raises StoreLost, and then it is said later."""
        token = await self._lease.take()
        self._own[namespace] = at, body
        async with self._writing as connection:
            found = await connection.fetchval(statements.PUT_REPORT, token, namespace, at, body)
        if found is None:
            self._lease.lose(token)
            raise lost()

    async def withdraw(self, namespace: str) -> None:
        self._own.pop(namespace, None)
        async with self._writing as connection:
            await connection.execute(statements.DELETE_REPORT, self._lease.name, namespace)

    async def of(self, namespace: str) -> list[RuntimeReport]:
        async with self._reading as connection:
            found = await connection.fetch(statements.SELECT_REPORTS, namespace)
        return [RuntimeReport(owner=owner, at=at, body=body) for owner, at, body in found]

    async def _say_again(self, connection: Any, token: int) -> None:
        for namespace, (at, body) in self._own.items():
            await connection.execute(statements.PUT_REPORT, token, namespace, at, body)
