"""Specs in a store: their revisions, and changes of one at a time."""

from __future__ import annotations

import pytest
from tests.engine.shelved import Overtaken, names, read, told

from penstock.core.catalog import Collection
from penstock.core.errors import DocumentError, EntryNotFound, StoreConflict
from penstock.engine.catalog.draft import Action
from penstock.engine.catalog.filters import Filter, read_filters
from penstock.engine.catalog.specs import Specs
from penstock.kinds import standard_scheme
from penstock.store.memory import MemoryStore

GRAPH = """
- {kind: debug.log, name: a, links: {out: b}}
- {kind: debug.log, name: b}
"""


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def specs(store: MemoryStore) -> Specs:
    return Specs(store, scheme=standard_scheme())


# --- revisions ----------------------------------------------------------------


async def test_a_revision_that_is_not_the_current_one_is_refused(specs: Specs) -> None:
    await specs.apply(read("- {kind: debug.log, name: a}"))
    await specs.apply(read("- {kind: debug.log, name: a, message: theirs}"))
    with pytest.raises(
        StoreConflict, match=r"graph.yaml:1:3: `a` was made from revision 1, but is at"
    ) as caught:
        await specs.apply(read("- {kind: debug.log, name: a, message: mine, revision: 1}"))

    assert (caught.value.field, caught.value.found) == ("revision", 2)
    assert (await specs.one("a", namespace="default")).document["message"] == "theirs"


async def test_the_current_revision_is_accepted_and_not_kept(specs: Specs) -> None:
    await specs.apply(read("- {kind: debug.log, name: a}"))
    (change,) = await specs.apply(read("- {kind: debug.log, name: a, message: x, revision: 1}"))

    assert change.revision == 2
    assert "revision" not in (await specs.one("a", namespace="default")).document


async def test_a_revision_of_what_is_gone_is_refused(specs: Specs) -> None:
    with pytest.raises(StoreConflict, match="is not there any more"):
        await specs.apply(read("- {kind: debug.log, name: a, revision: 4}"))


async def test_an_old_revision_of_what_says_the_same_is_no_conflict(specs: Specs) -> None:
    await specs.apply(read("- {kind: debug.log, name: a, message: x}"))
    await specs.apply(read("- {kind: debug.log, name: a}"))

    assert told(await specs.apply(read("- {kind: debug.log, name: a, revision: 1}"))) == [
        "unchanged default/a@2"
    ]


async def test_who_was_overtaken_goes_on_top_of_what_is_there() -> None:
    store = Overtaken()
    specs = Specs(store, scheme=standard_scheme())
    store.rival = specs
    (change,) = await specs.apply(read("- {kind: debug.log, name: a, message: mine}"))

    assert (change.action, change.revision) == (Action.UPDATED, 2)


async def test_who_was_overtaken_with_a_revision_is_refused() -> None:
    store = Overtaken()
    specs = Specs(store, scheme=standard_scheme())
    await specs.apply(read("- {kind: debug.log, name: a}"))
    store.rival = specs
    with pytest.raises(StoreConflict):
        await specs.apply(read("- {kind: debug.log, name: a, message: mine, revision: 1}"))


async def test_an_update_that_was_overtaken_is_laid_over_what_is_there() -> None:
    store = Overtaken()
    specs = Specs(store, scheme=standard_scheme())
    await specs.apply(read("- {kind: debug.log, name: a}"))
    store.rival = specs
    await specs.update({"name": "a", "annotations": {"mine": "yes"}})

    document = (await specs.one("a", namespace="default")).document
    assert (document["message"], document["annotations"]) == ("theirs", {"mine": "yes"})


async def test_history_is_newest_first_and_knows_deletions(specs: Specs) -> None:
    (change,) = await specs.apply(read("- {kind: debug.log, name: a}"))
    await specs.delete([Filter(name="a")])
    history = await specs.history(change.id, namespace="default")

    assert [(one.revision, one.deleted, bool(one.document)) for one in history] == [
        (2, True, False),
        (1, False, True),
    ]


async def test_a_rollback_writes_the_old_content_as_a_new_revision(specs: Specs) -> None:
    await specs.apply(read("- {kind: debug.log, name: a, message: old}"))
    await specs.apply(read("- {kind: debug.log, name: a, message: new}"))
    change = await specs.rollback("a", 1, namespace="default")

    assert (change.action, change.revision) == (Action.UPDATED, 3)
    assert (await specs.one("a", namespace="default")).document["message"] == "old"


async def test_a_deleted_spec_comes_back_by_its_id(specs: Specs) -> None:
    (created,) = await specs.apply(read("- {kind: debug.log, name: a}"))
    await specs.delete([Filter(name="a")])
    change = await specs.rollback(created.id, 1, namespace="default")

    assert (change.action, change.revision, await names(specs)) == (Action.CREATED, 3, ["a"])


@pytest.mark.parametrize(
    ("revision", "message"), [(9, r"has no revision 9\nthere are: 1, 2"), (2, "is its deletion")]
)
async def test_there_is_no_rollback_to_nothing(specs: Specs, revision: int, message: str) -> None:
    (created,) = await specs.apply(read("- {kind: debug.log, name: a}"))
    await specs.delete([Filter(name="a")])
    with pytest.raises(EntryNotFound, match=message):
        await specs.rollback(created.id, revision, namespace="default")


async def test_the_difference_of_two_revisions(specs: Specs) -> None:
    for message in ("one", "two", "three"):
        await specs.apply(read(f"- {{kind: debug.log, name: a, message: {message}}}"))
    between = await specs.between("a", 1, 2, namespace="default")
    since = await specs.between("a", 1, namespace="default")

    assert [between.before["message"], between.after["message"]] == ["one", "two"]  # type: ignore[index]
    assert since.after is not None
    assert since.after["message"] == "three"


# --- in part: what system calls do --------------------------------------------


async def test_creating_takes_one_or_many(specs: Specs) -> None:
    await specs.create({"kind": "debug.log", "name": "a"})
    changes = await specs.create([{"kind": "debug.log", "name": "b"}, {"kind": "debug.log"}])

    assert [change.action for change in changes] == [Action.CREATED, Action.CREATED]


async def test_creating_what_is_there_is_refused(specs: Specs) -> None:
    await specs.create({"kind": "debug.log", "name": "a"})
    with pytest.raises(DocumentError, match="`a` exists already"):
        await specs.create({"kind": "debug.log", "name": "a"})


async def test_an_update_is_laid_over_what_is_there(specs: Specs) -> None:
    await specs.create(
        {"kind": "debug.log", "name": "a", "message": "x", "links": {"out": "b", "error": "c"}}
    )
    (change,) = await specs.update({"name": "a", "message": None, "links": {"out": "d"}})

    assert change.after == {
        "id": change.id, "namespace": "default", "kind": "debug.log", "name": "a",
        "links": {"out": "d", "error": "c"},
    }  # fmt: skip


async def test_an_update_by_id_may_change_the_name(specs: Specs) -> None:
    (created,) = await specs.create({"kind": "debug.log", "name": "a"}, namespace="far")
    await specs.update({"id": created.id, "name": "b"})

    assert await names(specs, "far") == ["b"]


async def test_an_update_that_breaks_the_spec_writes_nothing(specs: Specs, store: MemoryStore) -> None:
    await specs.create({"kind": "debug.log", "name": "a"})
    with pytest.raises(DocumentError, match="unknown kind"):
        await specs.update([{"name": "a", "message": "x"}, {"name": "a", "kind": "nope"}])

    assert await store.position() == 1


async def test_an_update_of_what_is_not_there_is_refused(specs: Specs) -> None:
    await specs.create({"kind": "debug.log", "name": "logger"})
    with pytest.raises(EntryNotFound, match="did you mean `logger`"):
        await specs.update({"name": "loger", "message": "x"})


async def test_an_update_from_an_old_revision_is_refused(specs: Specs) -> None:
    await specs.create({"kind": "debug.log", "name": "a"})
    await specs.update({"name": "a", "message": "x"})
    with pytest.raises(StoreConflict, match="made from revision 1"):
        await specs.update({"name": "a", "message": "y", "revision": 1})


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"kind": "x"}, "`name` is missing"),
        ([{"name": "a"}, 3], r"\[1\]: expected a part of a document"),
        (None, "expected a part of a document"),
        ({"name": 3}, "name: expected text"),
    ],
)
async def test_an_update_that_names_nothing_is_refused(specs: Specs, data: object, told: str) -> None:
    await specs.create({"kind": "debug.log", "name": "a"})
    with pytest.raises(DocumentError, match=told):
        await specs.update(data)


async def test_deleting_says_what_was_there(specs: Specs) -> None:
    await specs.create([{"kind": "debug.log", "name": "a"}, {"kind": "snippet", "name": "b",
                        "language": "cel", "code": "self"}])  # fmt: skip
    (change,) = await specs.delete(read_filters({"kind": "snippet"}))

    assert (change.name, change.before and change.before["code"]) == ("b", "self")
    assert await names(specs) == ["a"]


async def test_documents_can_be_withdrawn(specs: Specs) -> None:
    await specs.apply(read(GRAPH + "- {kind: debug.log}\n- {kind: debug.log, name: kept}"))
    changes = await specs.withdraw(read(GRAPH + "- {kind: debug.log}\n- {kind: debug.log, name: gone}"))

    assert len(changes) == 3
    assert await names(specs) == ["kept"]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (None, ["a", "b", "c"]),
        ({}, ["a", "b", "c"]),
        ({"name": "a"}, ["a"]),
        ([{"name": "a"}, {"kind": "snippet"}], ["a", "c"]),
        ([], []),
        ({"namespace": "elsewhere"}, []),
        ({"id": "one"}, ["b"]),
    ],
)
async def test_filters_choose(specs: Specs, data: object, found: list[str]) -> None:
    await specs.create(
        [
            {"kind": "debug.log", "name": "a"},
            {"kind": "debug.log", "name": "b", "id": "one"},
            {"kind": "snippet", "name": "c", "language": "cel", "code": "self"},
        ]
    )

    assert [spec.name for spec in await specs.find(read_filters(data))] == found


@pytest.mark.parametrize("data", ["a", {"nmae": "a"}, [{"name": 3}], {"name": ["a"]}])
def test_a_filter_with_a_mistake_is_refused(data: object) -> None:
    with pytest.raises(DocumentError):
        read_filters(data)


async def test_deleting_is_refused_when_somebody_wrote_meanwhile() -> None:
    store = Overtaken()
    specs = Specs(store, scheme=standard_scheme())
    await specs.create({"kind": "debug.log", "name": "a"})
    store.rival = specs
    with pytest.raises(StoreConflict):
        await specs.delete([Filter(name="a")])

    assert len(await store.entries(Collection.SPECS)) == 1
