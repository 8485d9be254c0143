"""A host in this process, listening on a port of its own, and clients who may do this or that."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import msgspec
from argon2 import PasswordHasher

from penstock.auth import Auth, Permission, Resource
from penstock.auth.oidc.settings import ProviderSettings
from penstock.auth.passwords import Passwords
from penstock.core.events import Event
from penstock.core.store import Store
from penstock.document.reader import examine_data
from penstock.engine.catalog.specs import Specs
from penstock.engine.catalog.values import Values
from penstock.engine.flow import Flow
from penstock.engine.loading import Loader
from penstock.engine.resident.resident import Resident
from penstock.engine.runtime import Runtime
from penstock.host.door import Address, Door
from penstock.host.files.upload import UploadLimits
from penstock.host.host import Host
from penstock.kinds import standard_scheme
from penstock.store.memory import MemoryStore

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Hashes that take no time: how hard they are to guess is somebody else's test."""


class OneKey(msgspec.Struct, frozen=True):
    secret: bytes = b"k" * 32


class Keys:
    """The secrets of a host that nobody keeps."""

    def __init__(self) -> None:
        self._known = [OneKey()]

    def known(self) -> Sequence[OneKey]:
        return self._known

    def newest(self) -> OneKey:
        return self._known[0]


class OpenVault:
    """Seals nothing: what is sealed is somebody else's test."""

    def seal(self, content: bytes) -> bytes:
        return content

    def open(self, sealed: bytes) -> bytes:
        return sealed


class Hosted:
    """A host that listens. admin: a client who may do everything."""

    def __init__(self, host: Host, url: str, stack: AsyncExitStack) -> None:
        self.host = host
        self.runtime = host.runtime
        self.auth = host.auth
        self.url = url
        self.token = ""
        self._stack = stack
        self.admin: httpx.AsyncClient

    async def client(self, token: str = "", **options: Any) -> httpx.AsyncClient:
        """A client with a token, or one whom nobody knows. It is closed with the host."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        made = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=20, **options)
        return await self._stack.enter_async_context(made)

    async def user(self, name: str, *grants: str, password: str = "") -> httpx.AsyncClient:
        """A client of a new user with grants such as `launch flow:hello`."""
        user = await self.auth.users.add(name, password=password or None)
        for grant in grants:
            permission, _, resource = grant.partition(" ")
            await self.auth.grants.grant(
                f"user:{name}", Permission.parse(permission), Resource.parse(resource)
            )
        issued = await self.auth.tokens.issue(user, name="test")
        return await self.client(issued.text)

    async def apply(self, *documents: Mapping[str, Any]) -> None:
        """Write specs to the host's namespace, and wait until they are served."""
        specs = Specs(self.runtime.store, scheme=self.runtime.loader.scheme)
        await specs.apply([examine_data(list(documents))], namespace=self.host.namespace)
        await self.host.shelf.resident.reached(await self.runtime.store.position())

    async def events(self, fid: str) -> list[Event]:
        """What is recorded of a run."""
        return await self.runtime.store.events(fid)


@asynccontextmanager
async def hosted(
    *documents: Mapping[str, Any],
    flows: Sequence[Flow] = (),
    store: Store | None = None,
    namespace: str = "default",
    upload_limits: UploadLimits | None = None,
    providers: Sequence[ProviderSettings] = (),
    **options: Any,
) -> AsyncIterator[Hosted]:
    """A host with the flows of these documents, and others. options: of the runtime.

    providers: through which people log in.
    """
    async with AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(
            Runtime(store or MemoryStore(), loader=Loader(standard_scheme()), flows=flows, **options)
        )
        values = Values(runtime.store, vault=OpenVault())
        resident = await stack.enter_async_context(Resident(runtime, namespace, values=values))
        auth = await stack.enter_async_context(
            Auth(
                runtime.store,
                secrets=Keys(),
                clock=runtime.clock,
                namespace=namespace,
                passwords=Passwords(hasher=QUICK),
                providers=providers,
            )
        )
        host = Host(runtime, resident=resident, auth=auth, flows=flows, upload_limits=upload_limits)
        await stack.enter_async_context(host.uploads)
        door = await stack.enter_async_context(Door(host, Address(port=0), drain_seconds=2))
        made = Hosted(host, door.urls[0], stack)
        first = await auth.ensure_admin()
        assert first is not None
        made.token = first.text
        made.admin = await made.client(first.text)
        if documents:
            await made.apply(*documents)
        yield made
