"""The audit trail."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from penstock.core.audit import AuditEntry, AuditQuery
from penstock.testing.conformance.samples import StoreFactory, opened, views


def entry(number: int, **fields: Any) -> AuditEntry:
    """What somebody did."""
    usual: dict[str, Any] = {"at": 1e9 + number, "who": "ada", "action": "token.create"}
    return AuditEntry(**usual | fields)


class AuditConformance:
    """The audit trail."""

    async def test_entries_come_back_as_they_were_newest_first(
        self, store_factory: StoreFactory
    ) -> None:
        first = entry(1, subject="user:bob", outcome="refused", address="10.0.0.7", detail="no grant")
        async with opened(store_factory) as store:
            await store.record_audit([first, entry(2)])
            await store.record_audit([])
            await store.record_audit([entry(3)])
            found = await store.audits()
            assert [replace(each, number=0) for each in found] == [entry(3), entry(2), first]
            numbers = [each.number for each in found]
            assert numbers == sorted(numbers, reverse=True)
            assert numbers[-1] > 0

    async def test_pages_follow_on_each_other(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            await store.record_audit([entry(number) for number in range(10)])
            found: list[AuditEntry] = []
            before = None
            while page := await store.audits(AuditQuery(before=before, limit=3)):
                found += page
                before = page[-1].number
            assert [each.at for each in found] == [1e9 + number for number in reversed(range(10))]

    async def test_entries_are_found_by_who_did_what_to_whom(self, store_factory: StoreFactory) -> None:
        entries = [
            entry(number, who=who, action=action, subject=subject)
            for number, (who, action, subject) in enumerate(
                (who, action, subject)
                for who in ("ada", "bob")
                for action in ("login", "launch")
                for subject in ("", "flow:zen", "flow:tao")
            )
        ]
        async with opened(store_factory) as store:
            await store.record_audit(entries)
            for query in (
                AuditQuery(who="ada"),
                AuditQuery(action="login"),
                AuditQuery(subject="flow:zen"),
                AuditQuery(who="bob", action="launch", subject="flow:tao"),
                AuditQuery(who="bob", limit=2),
                AuditQuery(who="eve"),
                AuditQuery(who="\0\ud800"),
            ):
                wanted = [each for each in reversed(entries) if query.admits(each)][: query.limit]
                found = await store.audits(query)
                assert [replace(each, number=0) for each in found] == wanted

    async def test_what_strangers_claim_to_be_called_can_be_recorded(
        self, store_factory: StoreFactory
    ) -> None:
        async with opened(store_factory) as store:
            await store.record_audit([entry(1, who="a\0b\ud800", detail="ü" * 100_000)])
            (found,) = await store.audits()
            assert found.who.startswith("a")
            assert found.detail == "ü" * 100_000

    async def test_a_durable_store_keeps_the_trail(self, store_factory: StoreFactory) -> None:
        async with views(store_factory, 2) as (one, other):
            await one.record_audit([entry(1)])
            await other.record_audit([entry(2)])
            assert [each.at for each in await one.audits()] == [1e9 + 2, 1e9 + 1]
