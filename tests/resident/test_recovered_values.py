"""Recorded runs that go on after a restart find the values of their own namespace."""

import asyncio

from tests.resident.world import OpenVault, bell, until, world

from penstock.core.states import RunState
from penstock.engine.catalog.values import Values
from penstock.engine.loading import Loader
from penstock.engine.runtime import Runtime
from penstock.store.memory import MemoryStore

WAITING = {
    "kind": "delay", "name": "wait", "duration": "1ms", "links": {"out": "say"},
}  # fmt: skip


async def test_a_run_goes_on_with_the_values_of_its_namespace() -> None:
    store = MemoryStore()
    env = {"NAME": {"name": "person", "data": "{{ .first }}"}}
    say = {"kind": "snippet", "name": "say", "language": "text", "code": "hi {{ .NAME }}", "env": env}
    async with world(store, namespace="shop") as shop:
        await shop.value("person", {"first": "Ada"})
        await shop.apply(bell("wait", durable=True), WAITING, say)
        process = asyncio.create_task(shop.ring())
        await until(lambda: shop.runtime.resident)
        scheme = shop.runtime.loader.scheme
        process.cancel()
        (row,) = await shop.runtime.runs()
        events = await store.events(row.fid)
        revision = await store.revision(row.revision)
        assert revision is not None
    values = Values(store, vault=OpenVault())
    async with Runtime(store, loader=Loader(scheme), values_of=values.payloads) as runtime:
        flow = await runtime.revisions.of(row)
        run = await runtime.launch(flow, events[0].data["inputs"])
        assert await run.result() == "hi Ada"
        assert (await run.row()).state is RunState.COMPLETED
