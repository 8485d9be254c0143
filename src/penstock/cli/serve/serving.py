"""Hosting the flows of a namespace, from the opening of the store to the last word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from penstock.auth import Auth
from penstock.auth.first import ADMIN
from penstock.cli.signals import leave
from penstock.cli.start.serving import Order, Serving, loop_factory
from penstock.client.credentials import Credential, Credentials, usual_file
from penstock.core.errors import SettingsError
from penstock.host.door import Address, Door
from penstock.host.host import Host

if TYPE_CHECKING:
    from penstock.auth.tokens import Issued
    from penstock.cli.app import App
    from penstock.cli.exits import Exit
    from penstock.engine.flow import Flow
    from penstock.engine.resident.resident import Resident
    from penstock.engine.runtime import Runtime


def serve_host(
    app: App, order: Order, address: Address, references: Sequence[str], *, executor: str = ""
) -> Exit:
    """Host until a signal ends it. Raises PenstockError when it cannot begin."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        code = runner.run(HostServing(app, order, address, references, executor=executor).run())
    return leave(code)


class HostServing(Serving):
    """One `penstock serve`: the graph of a namespace, and a host in front of its flows.

    executor: executes the flows of `references`, whatever they say; their own one does without it.
    """

    measures = True

    def __init__(
        self,
        app: App,
        order: Order,
        address: Address,
        references: Sequence[str],
        *,
        executor: str = "",
    ) -> None:
        super().__init__(app, order)
        self._address = address
        self._references = references
        self._executor = executor
        self._served: list[Flow] = []
        if not executor:
            self._served = [flow for each in references for flow in self._loader.flows_of(each)]

    def _flows(self) -> Sequence[Flow]:
        return self._served

    def _beside(self, runtime: Runtime, resident: Resident) -> AbstractAsyncContextManager[object]:
        return self._hosting(runtime, resident)

    @asynccontextmanager
    async def _hosting(self, runtime: Runtime, resident: Resident) -> AsyncIterator[None]:
        auth = Auth(
            runtime.store,
            secrets=self._app.keys(),
            clock=runtime.clock,
            namespace=resident.namespace,
            providers=self._app.identity_providers(),
        )
        if self._executor:
            self._served = await self._load_for(self._executor)
        host = Host(
            runtime,
            resident=resident,
            auth=auth,
            telemetry=self._telemetry,
            flows=self._served,
            secure=self._address.secure,
            upload_limits=self._app.upload_limits(),
        )
        door = Door(host, self._address, drain_seconds=self._order.drain_seconds)
        async with auth, host.uploads, door:
            for url in door.urls:
                self._view.hosted(url, [served.name for served in host.shelf])
            # Not before the host listens: a start that fails would take the token along.
            first = await auth.ensure_admin()
            if first is not None:
                self._view.welcomed(first.text)
                self._keep(first, door.urls)
            yield

    def _keep(self, first: Issued, urls: Sequence[str]) -> None:
        """Keep the token for the commands of whoever has started the host, who owns its store."""
        credential = Credential(token=first.text, id=first.token.id, user=ADMIN)
        try:
            credentials = Credentials(usual_file())
            for url in urls:
                credentials.put(url, credential)
        except SettingsError as error:
            self._app.console.warn(f"the token is not kept for your commands: {error.message}")

    async def _load_for(self, executor: str) -> list[Flow]:
        """The flows, to be executed by this executor; what workers execute is not imported here."""
        from penstock.cli.workers import load_flows

        found: list[Flow] = []
        for each in self._references:
            found += await load_flows(self._loader, self._app.pool, each, every=True, executor=executor)
        return found
