"""What runtimes say of the specs of a namespace."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from penstock.core.catalog import RuntimeReport
from penstock.testing.conformance.catalogue import AT, following, spec
from penstock.testing.conformance.samples import PATIENCE_SECONDS, opened, views

if TYPE_CHECKING:
    from penstock.core.store import Store
    from penstock.testing.conformance.samples import StoreFactory


def said(store: Store, body: bytes, *, at: float = AT) -> RuntimeReport:
    """The report that this store's runtime is the owner of."""
    return RuntimeReport(owner=store.owner, at=at, body=body)


class ReportConformance:
    """What runtimes say of the specs of a namespace."""

    async def test_a_report_stands_until_the_next_one(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            assert await store.reports("default") == []
            for number, body in enumerate((b"[]", bytes(range(256)), b"x" * 2_000_000)):
                await store.report("default", body, at=AT + number)
                assert await store.reports("default") == [said(store, body, at=AT + number)]

    async def test_a_report_of_nothing_withdraws_it(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            await store.report("default", b"", at=AT)
            await store.report("default", b"one", at=AT)
            await store.report("default", b"", at=AT)
            assert await store.reports("default") == []
            await store.report("default", b"two", at=AT)
            assert await store.reports("default") == [said(store, b"two")]

    async def test_each_namespace_has_reports_of_its_own(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            await store.report("one", b"1", at=AT)
            await store.report("two", b"2", at=AT)
            await store.report("one", b"", at=AT)
            assert await store.reports("one") == []
            assert await store.reports("two") == [said(store, b"2")]

    async def test_who_reports_is_known_to_live(self, store_factory: StoreFactory) -> None:
        async with views(store_factory, 2) as (store, other):
            await store.report("default", b"here", at=AT)
            assert await other.alive(store.owner)
            assert await other.reports("default") == [said(store, b"here")]

    async def test_each_live_runtime_has_a_report_which_ends_with_it(
        self, store_factory: StoreFactory
    ) -> None:
        async with views(store_factory, 3) as stores:
            if not stores[0].durable:
                return  # there is nobody else
            for number, store in enumerate(stores):
                await store.report("default", str(number).encode(), at=AT)
            wanted = [said(store, str(number).encode()) for number, store in enumerate(stores)]
            assert await stores[0].reports("default") == sorted(wanted, key=lambda each: each.owner)
            await stores[2].close()
            for body in (b"0", b"again", b""):
                await stores[0].report("default", body, at=AT)
                assert wanted[1] in await stores[0].reports("default")
                assert wanted[2] not in await stores[0].reports("default")

    async def test_a_report_is_no_change(self, store_factory: StoreFactory) -> None:
        async with views(store_factory, 2) as (store, other), asyncio.timeout(PATIENCE_SECONDS):
            await store.write([spec("a")], at=AT)
            async with following(other, after=1) as changes:
                heard = asyncio.ensure_future(anext(changes))
                await store.report("default", b"one", at=AT)
                await store.report("default", b"", at=AT)
                await asyncio.wait([heard], timeout=0)
                assert not heard.done()
                assert await store.position() == 1
                written = await store.write([spec("b")], at=AT)
                assert [entry.position for entry in written] == [2]
                assert await heard == written
