"""Values in a store: sealed there, masked wherever nobody asks to see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from penstock.core.catalog import Collection, Write
from penstock.core.errors import DocumentError, EntryNotFound, SealError, StoreConflict
from penstock.document.source import read_source
from penstock.engine.catalog.draft import Action, Prune
from penstock.engine.catalog.filters import Filter
from penstock.engine.catalog.values import Values
from penstock.store.keys import GivenKeys, Key
from penstock.store.memory import MemoryStore
from penstock.store.vault import Vault

if TYPE_CHECKING:
    from penstock.document.source import Source

SECRET = "hunter2-and-more"
FILE = f"- {{name: api, data: {{user: ada, token: {SECRET}}}}}\n- {{name: plain, data: {SECRET}}}\n"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def values_of(store: MemoryStore) -> Values:
    return Values(store, vault=Vault(GivenKeys(Key.new().text)))


@pytest.fixture
def values(store: MemoryStore) -> Values:
    return values_of(store)


def read(text: str) -> list[Source]:
    return [read_source(text, file="values.yaml")]


async def contents(store: MemoryStore) -> bytes:
    found = [await store.history(Collection.VALUES, entry.id) for entry in
             await store.entries(Collection.VALUES)]  # fmt: skip
    return b"".join(entry.content or b"" for entries in found for entry in entries)


async def test_values_are_masked_unless_somebody_asks(values: Values) -> None:
    await values.apply(read(FILE))
    masked = await values.read()
    shown = await values.read(reveal=True)

    assert [one.data for one in masked] == [{"user": "•••", "token": "•••"}, "•••"]
    assert [one.data for one in shown] == [{"user": "ada", "token": SECRET}, SECRET]


async def test_a_store_holds_no_secret_in_the_clear(values: Values, store: MemoryStore) -> None:
    await values.apply(read(FILE))

    assert SECRET.encode() not in await contents(store)
    assert b"token" not in await contents(store)


async def test_nothing_shows_a_secret_by_accident(values: Values) -> None:
    changes = await values.apply(read(FILE), reveal=True)
    shown = await values.read(reveal=True)

    assert SECRET not in f"{changes} {changes[0]!r} {shown} {shown[0]!r}"


async def test_a_mapping_by_name_is_a_file_of_values_too(values: Values) -> None:
    await values.apply(read(f"api: {{token: {SECRET}}}\nplain: 3\nnothing: null\n"))

    assert await values.payloads("default") == {
        one.id: one.data for one in await values.read(reveal=True)
    } | {"api": {"token": SECRET}, "plain": 3, "nothing": None}


async def test_a_single_document_is_one_value(values: Values) -> None:
    await values.apply(
        read("name: api\nnamespace: prod\nannotations: {owner: ada, level: 3}\ndata: [1]")
    )
    (value,) = await values.read(reveal=True)

    assert (value.name, value.namespace, value.data) == ("api", "prod", [1])
    assert value.annotations == {"owner": "ada", "level": "3"}


async def test_applying_twice_writes_once(values: Values, store: MemoryStore) -> None:
    await values.apply(read(FILE))
    before = await contents(store)
    changes = await values.apply(read(FILE))

    assert {change.action for change in changes} == {Action.UNCHANGED}
    assert await contents(store) == before


async def test_changes_tell_what_changed_but_not_to_what(values: Values) -> None:
    await values.apply(read(FILE))
    text = "- {name: api, data: {user: ada, token: other, more: 1}}"
    (change,) = await values.apply(read(text), dry_run=True)

    assert change.before is not None
    assert change.after is not None
    assert change.before["data"] == {"user": "•••", "token": "•••"}
    assert change.after["data"] == {"user": "•••", "token": "••• (changed)", "more": "•••"}


async def test_pruning_deletes_what_the_files_do_not_say(values: Values) -> None:
    await values.apply(read(FILE))
    await values.apply(read(f"- {{name: plain, data: {SECRET}}}"), prune=Prune.NAMESPACE)

    assert [value.name for value in await values.read()] == ["plain"]


async def test_a_value_that_was_moved_to_another_name_is_found_out(
    values: Values, store: MemoryStore
) -> None:
    await values.apply(read(FILE))
    api, plain = await store.entries(Collection.VALUES)
    stolen = Write(
        collection=plain.collection, namespace=plain.namespace, id=plain.id, name=plain.name,
        content=api.content,
    )  # fmt: skip
    await store.write([stolen], at=2.0)
    with pytest.raises(SealError, match="the value `plain` of the namespace `default` is not the one"):
        await values.read()


async def test_a_value_that_was_moved_to_another_namespace_is_found_out(
    values: Values, store: MemoryStore
) -> None:
    await values.apply(read(FILE), namespace="prod")
    api, _ = await store.entries(Collection.VALUES)
    stolen = Write(
        collection=api.collection, namespace="mine", id="mine", name="api", content=api.content
    )
    await store.write([stolen], at=2.0)
    with pytest.raises(SealError, match="that is `api` of `prod`"):
        await values.read(namespace="mine", reveal=True)


async def test_a_wrong_key_says_which_value_wants_which_key(values: Values, store: MemoryStore) -> None:
    await values.apply(read(FILE))
    with pytest.raises(SealError, match="the value `api` of the namespace `default`: it is sealed with"):
        await values_of(store).read()


async def test_what_nobody_can_open_can_be_deleted(values: Values, store: MemoryStore) -> None:
    await values.apply(read(FILE))
    await values_of(store).delete([Filter(name="api")])

    assert [value.name for value in await values.read()] == ["plain"]


async def test_values_can_be_withdrawn_without_a_key(values: Values, store: MemoryStore) -> None:
    await values.apply(read(FILE))
    await values_of(store).withdraw(read("api: 0\nunknown: 0\n"))

    assert [value.name for value in await values.read()] == ["plain"]


async def test_history_and_rollback(values: Values) -> None:
    await values.apply(read("api: old\n"))
    await values.apply(read("api: new\n"))
    change = await values.rollback("api", 1, namespace="default")
    history = await values.history("api", namespace="default", reveal=True)

    assert [(one.revision, one.data) for one in history] == [(3, "old"), (2, "new"), (1, "old")]
    assert change.after is not None
    assert change.after["data"] == "••• (changed)"


async def test_a_difference_is_masked_unless_somebody_asks(values: Values) -> None:
    await values.apply(read("api: {token: old}\n"))
    await values.apply(read("api: {token: new}\n"))
    masked = await values.between("api", 1, namespace="default")
    shown = await values.between("api", 1, namespace="default", reveal=True)

    assert "old" not in f"{masked.before}"
    assert shown.before is not None
    assert shown.before["data"] == {"token": "old"}


async def test_system_calls_create_update_and_delete(values: Values) -> None:
    await values.create({"name": "api", "data": {"user": "ada", "token": SECRET}})
    with pytest.raises(DocumentError, match="`api` exists already"):
        await values.create({"name": "api", "data": 1})
    (change,) = await values.update({"name": "api", "data": {"user": None, "more": 1}})

    assert SECRET not in f"{change.before} {change.after}"
    assert await values.payloads("default") == {
        change.id: {"token": SECRET, "more": 1}, "api": {"token": SECRET, "more": 1},
    }  # fmt: skip
    with pytest.raises(EntryNotFound):
        await values.update({"name": "other", "data": 1})


async def test_an_old_revision_is_refused(values: Values) -> None:
    await values.apply(read("api: 1\n"))
    await values.apply(read("api: 2\n"))
    with pytest.raises(StoreConflict, match="was made from revision 1"):
        await values.apply(read("- {name: api, data: 3, revision: 1}"))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (f"- {SECRET}", "this is no value document"),
        (f"- {{name: a, dta: {SECRET}}}", "unknown field"),
        (f"- {{name: a, dta: {SECRET}}}", "`data` is missing"),
        (f"- {{name: {SECRET} x, data: 1}}", "this is not a name"),
        (f"- {{name: a, data: 1, id: [{SECRET}]}}", "expected text"),
        (f"environ: {SECRET}", "no value can be called `environ`"),
        ("- {name: a, data: {x: •••}}", "get it with --reveal"),
        (f"{{name: a, id: b, dta: {SECRET}}}", "unknown field"),
        ("[]", "there are no values in it"),
        (f"{SECRET}", "there are no values in it"),
        (f"- {{name: a, data: {SECRET}, revision: -1}}", "whole number"),
        (f"- {{name: a, data: {SECRET}, namespace: b}}", "is applied to `prod`"),
        (f"- {{name: a, data: {SECRET}}}\n- {{name: a, data: 1}}", "another is named `a`"),
    ],
)
async def test_what_is_wrong_is_told_without_the_secret(values: Values, data: str, told: str) -> None:
    with pytest.raises(DocumentError) as caught:
        await values.apply(read(data), namespace="prod")

    assert told in str(caught.value)
    assert SECRET not in str(caught.value)
    assert await values.read() == []


@pytest.mark.parametrize("data", [3, None, [1.5, {"a": [True]}], "•", "", {}, 10**40])
async def test_any_plain_data_can_be_a_value(values: Values, data: Any) -> None:
    await values.create({"name": "a", "data": data})

    assert msgspec.json.encode((await values.payloads("default"))["a"]) == msgspec.json.encode(data)
