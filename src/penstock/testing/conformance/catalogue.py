"""Specs and values: their revisions, what refuses a write, and the stream of changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from penstock.core.catalog import Collection, Entry, Write
from penstock.core.errors import StoreConflict
from penstock.testing.conformance.samples import PATIENCE_SECONDS, opened, views

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from penstock.core.store import Store
    from penstock.testing.conformance.samples import StoreFactory

SPECS, VALUES = Collection.SPECS, Collection.VALUES
AT = 1e9


def spec(key: str, **fields: Any) -> Write:
    """A write of the spec with this id, named like it in upper case."""
    usual: dict[str, Any] = {
        "collection": SPECS,
        "namespace": "default",
        "id": key,
        "name": key.upper(),
        "content": b"{}",
    }
    return Write(**usual | fields)


def deletion(key: str, **fields: Any) -> Write:
    return spec(key, content=None, name="", **fields)


async def refused(store: Store, *writes: Write) -> tuple[str, int, int]:
    """The field, the write and the found revision of the conflict that these writes meet."""
    with pytest.raises(StoreConflict) as caught:
        await store.write(writes, at=AT)
    assert caught.value.remedy
    return caught.value.field, caught.value.write, caught.value.found


async def revisions(store: Store) -> dict[str, int]:
    """The live specs: id → revision."""
    return {entry.id: entry.revision for entry in await store.entries(SPECS)}


@asynccontextmanager
async def following(store: Store, *, after: int) -> AsyncIterator[AsyncIterator[list[Entry]]]:
    """The changes behind a place; whoever leaves the block follows no longer."""
    changes = store.changes(after=after)
    try:
        yield changes
    finally:
        if isinstance(changes, AsyncGenerator):
            await changes.aclose()


async def places(store: Store, *, after: int = 0, last: int) -> list[int]:
    """The places that a follower is told, up to `last`."""
    found: list[int] = []
    async with following(store, after=after) as changes:
        async for entries in changes:
            assert entries
            found += [entry.position for entry in entries]
            if found[-1] >= last:
                return found
    return found


class DocumentConformance:
    """What is written is there, once, with all that it was."""

    async def test_a_document_comes_back_as_it_was_written(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            secret = bytes(range(256))
            writes = [
                spec("a", content='{"π": 1}'.encode(), origin="flows/ü.yaml:3"),
                spec("a", collection=VALUES, namespace="other", name="", content=secret),
                spec("b", content=b""),
            ]
            written = await store.write(writes, at=AT + 0.25)
            first = Entry(
                collection=SPECS,
                namespace="default",
                id="a",
                name="A",
                revision=1,
                position=1,
                at=AT + 0.25,
                origin="flows/ü.yaml:3",
                content='{"π": 1}'.encode(),
            )
            assert written[0] == first
            assert [entry.content for entry in written[1:]] == [secret, b""]
            assert await store.entries(SPECS) == [first, written[2]]
            assert await store.entries(VALUES) == [written[1]]
            assert await store.history(SPECS, "a") == [first]

    async def test_an_origin_of_any_text_is_kept_so_that_it_can_be_read(
        self, store_factory: StoreFactory
    ) -> None:
        async with opened(store_factory) as store:
            (entry,) = await store.write([spec("a", origin="before \0 and \udcff after")], at=AT)
            assert await store.entries(SPECS) == [entry]
            assert entry.origin.startswith("before ")
            assert entry.origin.endswith(" after")

    async def test_each_write_is_one_more_revision_and_one_more_place(
        self, store_factory: StoreFactory
    ) -> None:
        async with opened(store_factory) as store:
            assert await store.position() == 0
            first = await store.write([spec("a"), spec("b")], at=AT)
            second = await store.write([spec("b"), spec("a", name="new"), spec("a")], at=AT + 1)
            found = [(entry.id, entry.revision) for entry in first + second]
            assert found == [("a", 1), ("b", 1), ("b", 2), ("a", 2), ("a", 3)]
            assert [entry.position for entry in first + second] == [1, 2, 3, 4, 5]
            assert await store.position() == 5
            assert await store.history(SPECS, "a") == [second[2], second[1], first[0]]
            assert await store.entries(SPECS) == [second[2], second[0]]

    async def test_writing_nothing_changes_nothing(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            assert await store.write([], at=AT) == []
            assert await store.write([deletion("a"), deletion("b", revision=0)], at=AT) == []
            assert await store.position() == 0
            assert await store.history(SPECS, "a") == []

    async def test_documents_are_found_by_namespace_and_by_id_or_name(
        self, store_factory: StoreFactory
    ) -> None:
        async with opened(store_factory) as store:
            writes = [
                spec("3", name="one"),
                spec("2", name=""),
                spec("1", name=""),
                spec("4", name="Two"),
                spec("5", namespace="another", name="one"),
                spec("6", collection=VALUES, name="one"),
            ]
            await store.write(writes, at=AT)

            async def ids(**options: Any) -> list[str]:
                return [entry.id for entry in await store.entries(SPECS, **options)]

            assert await ids() == ["5", "1", "2", "4", "3"]
            assert await ids(namespace="default") == ["1", "2", "4", "3"]
            assert await ids(namespace="nowhere") == []
            assert await ids(keys=["one", "2", "6", "unknown"]) == ["5", "2", "3"]
            assert await ids(namespace="default", keys=["one"]) == ["3"]
            assert [entry.id for entry in await store.entries(VALUES)] == ["6"]

    async def test_what_no_document_can_be_called_finds_none(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            await store.write([spec("1", name="one")], at=AT)
            for odd in ("a\0b", "\0", "a" * 10_000, "é\u2028"):
                assert await store.entries(SPECS, keys=[odd]) == []
                assert [entry.id for entry in await store.entries(SPECS, keys=[odd, "one"])] == ["1"]
                assert await store.entries(SPECS, namespace=odd) == []
                assert await store.history(SPECS, odd) == []

    async def test_a_deletion_is_a_revision_and_keeps_the_name(
        self, store_factory: StoreFactory
    ) -> None:
        async with opened(store_factory) as store:
            await store.write([spec("a"), spec("b")], at=AT)
            writes = [deletion("a", origin="cli"), deletion("c"), deletion("b", revision=1)]
            gone = await store.write(writes, at=AT + 1)
            assert [(entry.id, entry.name, entry.revision) for entry in gone] == [
                ("a", "A", 2),
                ("b", "B", 2),
            ]
            assert all(entry.deleted for entry in gone)
            assert await store.entries(SPECS, keys=["a", "B"]) == []
            assert [entry.deleted for entry in await store.history(SPECS, "a")] == [True, False]
            assert await store.write([deletion("a")], at=AT) == []

    async def test_a_document_that_comes_back_goes_on_counting(
        self, store_factory: StoreFactory
    ) -> None:
        async with opened(store_factory) as store:
            for number, seen in enumerate([0, 0, 4, None]):  # 4: it saw the second deletion
                (back,) = await store.write([spec("a", revision=seen)], at=AT)
                assert back.revision == 2 * number + 1
                await store.write([deletion("a", revision=back.revision)], at=AT)
            history = await store.history(SPECS, "a")
            assert [entry.revision for entry in history] == [8, 7, 6, 5, 4, 3, 2, 1]

    async def test_resealing_replaces_contents_of_values_and_nothing_else(
        self, store_factory: StoreFactory
    ) -> None:
        async with opened(store_factory) as store:
            value = spec("a", collection=VALUES)
            await store.write([value, spec("a"), spec("b", collection=VALUES)], at=AT)
            await store.write([spec("a", collection=VALUES, content=b"second")], at=AT)
            await store.write([deletion("b", collection=VALUES)], at=AT)
            before = await store.history(VALUES, "a")
            assert await store.reseal(lambda content: b"new " + content) == 3
            assert await store.position() == 5
            contents = [entry.content for entry in await store.history(VALUES, "a")]
            assert contents == [b"new second", b"new {}"]
            assert (await store.history(VALUES, "a"))[0].revision == before[0].revision
            assert [entry.content for entry in await store.entries(VALUES)] == [b"new second"]
            assert [entry.content for entry in await store.history(VALUES, "b")] == [None, b"new {}"]
            assert [entry.content for entry in await store.entries(SPECS)] == [b"{}"]

    async def test_a_seal_that_fails_leaves_every_value_as_it_was(
        self, store_factory: StoreFactory
    ) -> None:
        def seal(content: bytes) -> bytes:
            if content == b"2":
                raise ValueError("cannot be opened")
            return b"new"

        async with opened(store_factory) as store:
            for content in (b"1", b"2", b"3"):
                await store.write([spec("a", collection=VALUES, content=content)], at=AT)
            with pytest.raises(ValueError, match="cannot be opened"):
                await store.reseal(seal)
            contents = [entry.content for entry in await store.history(VALUES, "a")]
            assert contents == [b"3", b"2", b"1"]

    async def test_a_durable_store_keeps_documents_when_it_is_opened_again(
        self, store_factory: StoreFactory
    ) -> None:
        async with opened(store_factory) as store:
            await store.write([spec("a"), spec("b")], at=AT)
            await store.write([deletion("b"), spec("a", content=b"2")], at=AT)
            before, durable = await store.entries(SPECS), store.durable
        if durable:
            async with opened(store_factory) as store:
                assert await store.entries(SPECS) == before
                assert len(await store.history(SPECS, "b")) == 2
                assert await refused(store, spec("a", revision=1)) == ("revision", 0, 2)
                (entry,) = await store.write([spec("a", revision=2)], at=AT)
                assert (entry.revision, entry.position) == (3, 5)


class ConflictConformance:
    """What refuses a write, and that it refuses all of the call."""

    async def test_a_write_must_name_the_current_revision_if_any(
        self, store_factory: StoreFactory
    ) -> None:
        async with opened(store_factory) as store:
            assert await refused(store, spec("a", revision=1)) == ("revision", 0, 0)
            assert await refused(store, deletion("a", revision=1)) == ("revision", 0, 0)
            await store.write([spec("a", revision=0)], at=AT)
            assert await refused(store, spec("a", revision=0)) == ("revision", 0, 1)
            await store.write([spec("a", revision=1)], at=AT)
            assert await refused(store, spec("a", revision=1)) == ("revision", 0, 2)
            assert await refused(store, deletion("a", revision=1)) == ("revision", 0, 2)
            assert await refused(store, spec("a", revision=3)) == ("revision", 0, 2)
            await store.write([spec("a"), spec("a", revision=3)], at=AT)
            await store.write([deletion("a", revision=4)], at=AT)
            assert await refused(store, spec("a", revision=4)) == ("revision", 0, 0)
            assert await revisions(store) == {}

    async def test_of_two_who_saw_the_same_revision_one_is_refused(
        self, store_factory: StoreFactory
    ) -> None:
        async with views(store_factory, 2) as stores:
            await stores[0].write([spec("a")], at=AT)
            both = [store.write([spec("a", revision=1)], at=AT) for store in stores]
            found = await asyncio.gather(*both, return_exceptions=True)
            assert sorted(isinstance(each, StoreConflict) for each in found) == [False, True]
            assert await revisions(stores[0]) == {"a": 2}

    async def test_a_name_is_had_by_one_live_document_of_a_namespace(
        self, store_factory: StoreFactory
    ) -> None:
        async with opened(store_factory) as store:
            await store.write([spec("a", name="x"), spec("b"), spec("c", name="")], at=AT)
            assert await refused(store, spec("d", name="x")) == ("name", 0, 0)
            assert await refused(store, spec("b", name="x", revision=1)) == ("name", 0, 1)
            assert await refused(store, spec("d", name="y"), spec("e", name="y")) == ("name", 1, 0)
            elsewhere = [
                spec("f", name="x", namespace="other"),
                spec("a", name="x", collection=VALUES),
                spec("g", name=""),
                spec("a", name="x"),
            ]
            await store.write(elsewhere, at=AT)
            assert await revisions(store) == {"a": 2, "b": 1, "c": 1, "f": 1, "g": 1}

    async def test_a_name_that_the_same_call_frees_can_be_taken_in_it(
        self, store_factory: StoreFactory
    ) -> None:
        async with opened(store_factory) as store:
            await store.write([spec("a", name="x"), spec("b", name="y")], at=AT)
            await store.write([deletion("a"), spec("c", name="x")], at=AT)
            await store.write([spec("b", name="z"), spec("d", name="y")], at=AT)
            await store.write([spec("e"), deletion("e"), spec("f", name="E")], at=AT)
            names = {entry.id: entry.name for entry in await store.entries(SPECS)}
            assert names == {"c": "x", "b": "z", "d": "y", "f": "E"}
            late = [spec("g", name="x"), deletion("c")]
            assert await refused(store, *late) == ("name", 0, 0)
            assert await refused(store, deletion("f"), spec("f"), spec("g", name="F")) == ("name", 2, 0)

    async def test_an_id_belongs_to_one_namespace_for_good(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            await store.write([spec("a"), spec("a", collection=VALUES, namespace="other")], at=AT)
            there = spec("a", namespace="other")
            assert await refused(store, spec("b"), there) == ("namespace", 1, 1)
            assert await refused(store, deletion("a", namespace="other")) == ("namespace", 0, 1)
            await store.write([deletion("a")], at=AT)
            assert await refused(store, there) == ("namespace", 0, 0)
            assert await store.write([deletion("a", namespace="other")], at=AT) == []

    @pytest.mark.parametrize(
        "wrong", [spec("a", revision=7), spec("z", name="A"), spec("a", namespace="other")]
    )
    async def test_one_conflict_refuses_the_whole_call(
        self, store_factory: StoreFactory, wrong: Write
    ) -> None:
        async with opened(store_factory) as store:
            await store.write([spec("a"), spec("b")], at=AT)
            before = await store.entries(SPECS)
            call = [spec("c"), spec("b", content=b"2"), wrong, spec("d")]
            assert (await refused(store, *call))[1] == 2
            assert await store.entries(SPECS) == before
            assert [await store.history(SPECS, key) for key in ("c", "d")] == [[], []]
            assert await store.position() == 2
            (entry,) = await store.write([spec("c")], at=AT)
            assert (entry.revision, entry.position) == (1, 3)


class ChangeConformance:
    """The stream of changes: everything, once, in order, to everybody."""

    async def test_a_follower_hears_all_from_its_place_on(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store, asyncio.timeout(PATIENCE_SECONDS):
            written = await store.write([spec("a"), spec("b", collection=VALUES)], at=AT)
            written += await store.write([spec("c", namespace="other"), deletion("a")], at=AT)
            for after in range(4):
                async with following(store, after=after) as changes:
                    assert await anext(changes) == written[after:]

    async def test_a_follower_waits_for_the_next_change(self, store_factory: StoreFactory) -> None:
        async with views(store_factory, 2) as (store, other), asyncio.timeout(PATIENCE_SECONDS):
            await store.write([spec("a")], at=AT)
            async with following(store, after=1) as changes:
                for writer in (store, other, other, store):
                    later = asyncio.ensure_future(anext(changes))
                    await asyncio.wait([later], timeout=0)
                    assert not later.done()
                    assert await writer.write([deletion("unknown")], at=AT) == []
                    await asyncio.wait([later], timeout=0)
                    assert not later.done()
                    written = await writer.write([spec("a"), spec("b")], at=AT)
                    assert await later == written

    async def test_what_one_call_writes_comes_as_one_list(self, store_factory: StoreFactory) -> None:
        async with views(store_factory, 2) as (store, other), asyncio.timeout(PATIENCE_SECONDS):
            calls = [[f"{call}-{number}" for number in range(call + 1)] for call in range(8)]

            async def write() -> None:
                for keys in calls:
                    await other.write([spec(key) for key in keys], at=AT)

            writing = asyncio.create_task(write(), name="writing")
            heard: list[str] = []
            async with following(store, after=0) as changes:
                async for entries in changes:
                    heard += [entry.id for entry in entries]
                    whole = [key for keys in calls for key in keys][: len(heard)]
                    assert heard == whole
                    assert len(heard) in {n * (n + 1) // 2 for n in range(9)}
                    if len(heard) == 36:
                        break
            await writing

    async def test_several_followers_each_hear_everything(self, store_factory: StoreFactory) -> None:
        async with views(store_factory, 3) as stores, asyncio.timeout(PATIENCE_SECONDS):
            await stores[0].write([spec("a")], at=AT)
            async with asyncio.TaskGroup() as tasks:
                heard = [
                    tasks.create_task(places(store, after=number % 3, last=21))
                    for number, store in enumerate(stores * 4)
                ]
                for number in range(20):
                    await stores[number % 3].write([spec("a")], at=AT)
            for number, task in enumerate(heard):
                assert task.result() == list(range(number % 3 + 1, 22))

    async def test_concurrent_writers_are_heard_in_one_order_without_a_gap(
        self, store_factory: StoreFactory
    ) -> None:
        async with views(store_factory, 2) as stores, asyncio.timeout(PATIENCE_SECONDS):

            async def write(store: Store, key: str) -> None:
                for _ in range(15):
                    await store.write([spec(f"{key}{number}") for number in range(2)], at=AT)

            async with asyncio.TaskGroup() as tasks:
                heard = [tasks.create_task(places(store, last=120)) for store in stores]
                for key in ("a", "b"):
                    for number, store in enumerate(stores):
                        tasks.create_task(write(store, f"{key}{number}-"))
            assert [task.result() for task in heard] == [list(range(1, 121))] * 2
            assert set((await revisions(stores[0])).values()) == {15}

    async def test_a_follower_that_is_cancelled_leaves_the_others_alone(
        self, store_factory: StoreFactory
    ) -> None:
        async with opened(store_factory) as store, asyncio.timeout(PATIENCE_SECONDS):
            first, second = (asyncio.create_task(places(store, last=1)) for _ in range(2))
            await asyncio.wait([first, second], timeout=0)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            await store.write([spec("a")], at=AT)
            assert await second == [1]
            assert await places(store, last=1) == [1]

    async def test_a_refused_call_is_not_heard_of(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store, asyncio.timeout(PATIENCE_SECONDS):
            await store.write([spec("a")], at=AT)
            following = asyncio.create_task(places(store, after=1, last=2))
            await refused(store, spec("b"), spec("a", revision=9))
            await asyncio.wait([following], timeout=0)
            assert not following.done()
            await store.write([spec("c")], at=AT)
            assert await following == [2]
            assert await revisions(store) == {"a": 1, "c": 1}


class CatalogueConformance(DocumentConformance, ConflictConformance, ChangeConformance):
    """Everything about specs and values."""
