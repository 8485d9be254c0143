"""The clients: for a thread that may block, and for an event loop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from penstock.api import RunView
from penstock.client.accounts import AccountOperations
from penstock.client.connection import Connection
from penstock.client.credentials import known_host, known_token
from penstock.client.drivers import AsyncDriver, Driver
from penstock.client.host import HostOperations
from penstock.client.line import PATIENCE, Line
from penstock.client.operation import Awaited, Blocking
from penstock.client.runs import RunOperations
from penstock.client.specs import SpecOperations
from penstock.core.policies import Retry

if TYPE_CHECKING:
    import httpx2

    from penstock.core.clock import Clock


class RemoteRun(RunOperations["RemoteRun"], Blocking):
    """A run on a host, for a thread that may block."""

    def __init__(self, driver: Driver, line: Line, fid: str, view: RunView | None = None) -> None:
        self._driver = driver
        self._line = line
        self.fid = fid
        self.view = view

    def __repr__(self) -> str:
        return f"RemoteRun({self.fid!r})"

    def _handle(self, view: RunView) -> RemoteRun:
        return RemoteRun(self._driver, self._line, view.fid, view)


class AsyncRemoteRun(RunOperations["AsyncRemoteRun"], Awaited):
    """A run on a host, for an event loop."""

    def __init__(self, driver: AsyncDriver, line: Line, fid: str, view: RunView | None = None) -> None:
        self._driver = driver
        self._line = line
        self.fid = fid
        self.view = view

    def __repr__(self) -> str:
        return f"AsyncRemoteRun({self.fid!r})"

    def _handle(self, view: RunView) -> AsyncRemoteRun:
        return AsyncRemoteRun(self._driver, self._line, view.fid, view)


class Client(HostOperations[RemoteRun], AccountOperations, SpecOperations, Blocking):
    """Talks to a host, and blocks meanwhile. Threads may share one.

        with Client("http://127.0.0.1:8370") as host:
            run = host.launch("zen", {"url": "https://api.github.com/zen"})
            for event in run.events():
                print(event.type)
            print(run.result())

    url: of the host; that of PENSTOCK_HOST unless one is given. token: who asks; unless one is
    given, that of PENSTOCK_TOKEN, or the one that `penstock login` keeps for the host. Without any,
    `login` says it. timeout: seconds for an answer, besides what it may wait on purpose. retry:
    how often what does no harm twice is sent. ca_file: certificates to trust, as PEM, in place of
    the usual ones. insecure: trust any.
    transport, clock: for tests. Raises SettingsError.
    """

    def __init__(
        self,
        url: str = "",
        *,
        token: str | None = None,
        timeout: float = 30.0,
        retry: Retry = PATIENCE,
        ca_file: str | Path | None = None,
        insecure: bool = False,
        transport: httpx2.BaseTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        url = url or known_host()
        token = known_token(url) if token is None else token
        self._connection = Connection(
            url, token=token, timeout=timeout, ca_file=ca_file, insecure=insecure
        )
        self._driver = Driver(self._connection, transport=transport)
        self._line = Line(retry=retry, clock=clock)

    def __repr__(self) -> str:
        return f"Client({self._connection.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._driver.close()

    def run(self, fid: str) -> RemoteRun:
        return RemoteRun(self._driver, self._line, fid)

    def _handle(self, view: RunView) -> RemoteRun:
        return RemoteRun(self._driver, self._line, view.fid, view)


class AsyncClient(HostOperations[AsyncRemoteRun], AccountOperations, SpecOperations, Awaited):
    """Talks to a host from an event loop: what `Client` does, awaited.

    async with AsyncClient("http://127.0.0.1:8370", token="…") as host:
        run = await host.launch("zen", {"url": "https://api.github.com/zen"})
        async for event in run.events():
            print(event.type)
        print(await run.result())
    """

    def __init__(
        self,
        url: str = "",
        *,
        token: str | None = None,
        timeout: float = 30.0,
        retry: Retry = PATIENCE,
        ca_file: str | Path | None = None,
        insecure: bool = False,
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        url = url or known_host()
        token = known_token(url) if token is None else token
        self._connection = Connection(
            url, token=token, timeout=timeout, ca_file=ca_file, insecure=insecure
        )
        self._driver = AsyncDriver(self._connection, transport=transport)
        self._line = Line(retry=retry, clock=clock)

    def __repr__(self) -> str:
        return f"AsyncClient({self._connection.url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._driver.close()

    def run(self, fid: str) -> AsyncRemoteRun:
        return AsyncRemoteRun(self._driver, self._line, fid)

    def _handle(self, view: RunView) -> AsyncRemoteRun:
        return AsyncRemoteRun(self._driver, self._line, view.fid, view)
