"""What a runtime made of the specs of its namespace, as everybody else reads it in the store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.watching import until
from tests.resident.world import World, bell, tag, world

from penstock.core.catalog import Collection, Write
from penstock.core.errors import StoreError, StoreLocked, StoreVersion
from penstock.engine.observer import Observer
from penstock.engine.resident import reports
from penstock.engine.resident.reports import statuses
from penstock.engine.resident.symbol import Status
from penstock.store.memory import MemoryStore
from penstock.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

    from penstock.core.payload import Error
    from penstock.core.store import Store
    from penstock.engine.observer import Subject
    from penstock.engine.resident.symbol import Report

AT = 1e9


async def told(store: Store, namespace: str = "default") -> dict[str, list[tuple[str, str]]]:
    """Status and reason of each spec, by its name, of each runtime."""
    found = await statuses(store, namespace)
    return {each[0].key: [(report.status, report.reason) for report in each] for each in found.values()}


async def one(store: Store, name: str) -> Report:
    """What the one runtime that there is says of a spec."""
    found = await statuses(store, "default")
    (report,) = next(each for each in found.values() if each[0].key == name)
    return report


async def test_the_store_says_what_became_of_each_spec(home: World) -> None:
    assert await told(home.store) == {}
    await home.apply(bell("a"), tag("a", "b"))
    assert await told(home.store) == {
        "bell": [("waiting", "waits for `a`")],
        "a": [("waiting", "`b` is missing")],
    }
    await home.apply(tag("b"))
    assert await told(home.store) == {key: [("active", "")] for key in ("bell", "a", "b")}
    await home.broken({"kind": "tag", "name": "a", "tagg": "a"})
    report = await one(home.store, "a")
    assert (report.status, report.revision, report.serving) == (Status.BROKEN, 2, 1)
    assert "did you mean `tag`?" in report.reason
    await home.delete("a")
    assert (await told(home.store))["bell"] == [("waiting", "`a` is missing")]


async def test_a_namespace_is_not_served_after_the_end() -> None:
    async with world() as home:
        await home.apply(tag("a"))
        store = home.store
        assert await told(store) == {"a": [("active", "")]}
        assert await told(store, "elsewhere") == {}
        await home.resident.__aexit__()
        assert await told(store) == {}


async def test_a_graph_that_is_there_at_the_start_is_reported_with_it(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    async with world(SqliteStore(path)) as home:
        await home.apply(tag("a"))
    async with world(SqliteStore(path)) as home:
        assert await told(home.store) == {"a": [("active", "")]}


async def test_runtimes_that_disagree_each_have_their_say(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    async with world(SqliteStore(path)) as mine:
        await mine.apply(tag("a"), bell("a"))
        async with world(SqliteStore(path)) as other:
            other.resident.table.candidates.take_down("a")
            await other.resident.refresh()
            found = await told(mine.store)
            assert sorted(found["a"]) == [("active", ""), ("waiting", "taken down")]
            assert sorted(found["bell"]) == [("active", ""), ("waiting", "waits for `a`")]
        assert await told(mine.store) == {key: [("active", "")] for key in ("a", "bell")}


async def test_what_is_wrong_with_a_trigger_of_a_flow_is_said_of_the_flow(home: World) -> None:
    flow = {"flow": "daily", "nodes": [tag("a")], "triggers": [{"kind": "bell", "refuses": "no rope"}]}
    await home.apply(flow)
    (found,) = (await statuses(home.store, "default")).values()
    assert [(each.key, each.kind, each.status) for each in found] == [("daily", "flow", Status.BROKEN)]
    assert found[0].reason == "`daily-trigger-1`: no rope"


async def test_a_reason_shows_no_secret(home: World) -> None:
    await home.value("token", "hunter2-and-more")
    env = {"T": {"name": "token"}}
    await home.apply(tag("a", kind="stubborn", reason="{{ T }} is refused", env=env))
    report = await one(home.store, "a")
    assert (report.status, report.reason) == (Status.BROKEN, "••• is refused")


async def test_a_reason_shows_nothing_of_a_value_that_does_not_fit(home: World) -> None:
    await home.value("pin", 907123)
    document = {"kind": "debug.log", "name": "a", "level": "{{ P }}", "env": {"P": {"name": "pin"}}}
    await home.broken(document)
    report = await one(home.store, "a")
    assert report.status is Status.BROKEN
    assert report.reason == "`level` does not fit with the values that it names"


# --- when and how it is written -----------------------------------------------------------


class Reported(MemoryStore):
    """A store that counts what it is told, and takes nothing while it is locked."""

    def __init__(self) -> None:
        super().__init__()
        self.told = 0
        self.locked = False

    async def report(self, namespace: str, body: bytes, *, at: float) -> None:
        if self.locked:
            raise StoreLocked("another program holds it")
        self.told += 1
        await super().report(namespace, body, at=at)


class Failures(Observer):
    """Writes down what goes wrong beside the processes."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def trigger_failed(self, trigger: Subject, error: Error) -> None:
        self.seen.append(error.message)


async def test_what_is_nothing_new_is_not_written_again() -> None:
    store = Reported()
    async with world(store) as home:
        await home.apply(tag("a"))
        before = store.told
        await home.resident.refresh()
        await home.value("unrelated", 1)
        await home.specs_only(tag("a"))
        assert store.told == before
        await home.apply(tag("a", tag="other"))
        assert store.told == before + 1
    assert store.told == before + 2


async def test_a_store_that_takes_no_report_does_not_stop_the_loader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reports, "RETRY_SECONDS", 0.001)
    store, failures = Reported(), Failures()
    async with world(store) as home:
        home.runtime.observer = failures
        await home.apply(tag("a"), bell("a"))
        store.locked = True
        await home.apply(tag("b"), tag("a", "b"))
        assert await home.ring([]) == ["a", "b"]
        await until(lambda: len(failures.seen) >= 3)
        assert set(failures.seen) == {"another program holds it"}
        assert set(await told(store)) == {"a", "bell"}
        store.locked = False
        before = store.told
        await until(lambda: store.told > before)
        assert set(await told(store)) == {"a", "b", "bell"}


async def test_an_end_that_cannot_be_reported_is_an_end_all_the_same() -> None:
    store, failures = Reported(), Failures()
    async with asyncio.timeout(5), world(store) as home:
        home.runtime.observer = failures
        await home.apply(tag("a"))
        store.locked = True
    assert failures.seen == ["another program holds it"]


async def test_what_may_have_been_written_is_written_again_even_when_it_is_as_before() -> None:
    class Unheard(MemoryStore):
        """Takes a report, but the answer may be lost."""

        answers = True

        async def report(self, namespace: str, body: bytes, *, at: float) -> None:
            await super().report(namespace, body, at=at)
            if not self.answers:
                raise StoreError("lost on the way")

    store = Unheard()
    async with world(store) as home:
        home.runtime.observer = Failures()
        await home.apply(tag("a"))
        store.answers = False
        await home.apply(tag("b"))
        assert set(await told(store)) == {"a", "b"}
        store.answers = True
        await home.delete("b")
        assert set(await told(store)) == {"a"}


@pytest.mark.parametrize("body", [b"[1]", b"{", b'[{"status": "bright"}]', b"\xff"])
async def test_what_a_newer_runtime_says_in_a_form_of_its_own_is_told_as_that(body: bytes) -> None:
    store: Any = MemoryStore()
    await store.report("default", body, at=AT)
    with pytest.raises(StoreVersion, match=store.owner) as caught:
        await statuses(store, "default")
    assert "upgrade" in caught.value.remedy


async def test_accounts_of_the_namespace_are_none_of_the_graphs_business() -> None:
    reloads: list[int] = []

    class Watching(Observer):
        def reloaded(self, namespace: str, changes: int, seconds: float, error: Error | None) -> None:
            reloads.append(changes)

    async with world(observer=Watching()) as home:
        reloads.clear()
        await home.store.write(
            [Write(collection=Collection.GRANTS, namespace="default", id="r-1", content=b"{}")], at=AT
        )
        await home.resident.reached(await home.store.position())
        assert reloads == []
        await home.apply(bell("a"))
        assert reloads == [1]
