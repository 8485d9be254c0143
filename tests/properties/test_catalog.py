"""Whatever is applied to whatever store: all or nothing, and twice is the same as once."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.catalog import Collection
from penstock.core.errors import DocumentError, StoreConflict
from penstock.document.reader import examine_data
from penstock.engine.catalog.draft import Action, Change, Prune
from penstock.engine.catalog.specs import Specs
from penstock.kinds import standard_scheme
from penstock.store import open_store

if TYPE_CHECKING:
    from penstock.core.store import Store
    from penstock.testing.postgres import PostgresServer

Documents = list[dict[str, Any]]

SCHEME: Final = standard_scheme()
MESSAGES: Final = st.sampled_from(["x", "y"])
PLAIN: Final = st.fixed_dictionaries(
    {"kind": st.just("debug.log"), "name": st.sampled_from("abcd"), "message": MESSAGES}
)
WITH_IDS: Final = st.fixed_dictionaries(
    {"kind": st.just("debug.log"), "id": st.sampled_from("123"), "name": st.sampled_from("abcd")}
)
ODD: Final = st.fixed_dictionaries(
    {"kind": st.sampled_from(["debug.log", "debug.log", "debug.lgo"])},
    optional={
        "name": st.sampled_from(["a", "b", "not a name"]),
        "message": MESSAGES,
        "namespace": st.sampled_from(["one", "two"]),
        "revision": st.integers(0, 3),
    },
)


def _by_name(spec: dict[str, Any]) -> Any:
    return spec.get("name", id(spec))


FILES: Final = st.lists(PLAIN | WITH_IDS, min_size=1, max_size=4, unique_by=_by_name) | st.lists(
    PLAIN | WITH_IDS | ODD, min_size=1, max_size=4
)
ROUNDS: Final = st.lists(
    st.tuples(
        st.lists(FILES, min_size=1, max_size=1) | st.lists(FILES, max_size=2), st.sampled_from(Prune)
    ),
    min_size=1,
    max_size=6,
)


async def everything(store: Store) -> list[tuple[Any, ...]]:
    entries = await store.entries(Collection.SPECS)
    return [(one.namespace, one.id, one.name, one.revision, one.content) for one in entries]


async def check(store: Store, rounds: list[tuple[list[Documents], Prune]]) -> None:
    specs = Specs(store, scheme=SCHEME)
    for files, prune in rounds:
        before = await everything(store)

        async def apply(
            files: list[Documents] = files, prune: Prune = prune, *, dry_run: bool = False
        ) -> list[Change]:
            found = [examine_data(data, file=f"{number}.yaml") for number, data in enumerate(files)]
            return await specs.apply(found, prune=prune, dry_run=dry_run)

        foreseen: list[Change] | None = None
        with contextlib.suppress(DocumentError, StoreConflict):
            foreseen = await apply(dry_run=True)
        assert await everything(store) == before
        try:
            changes = await apply()
        except (DocumentError, StoreConflict):
            assert await everything(store) == before
            continue
        assert foreseen is not None
        assert [change.action for change in changes] == [change.action for change in foreseen]
        await _is_there(specs, changes)
        after = await everything(store)
        with contextlib.suppress(StoreConflict):  # a name that was left may change what is meant
            again = await apply()
            assert {change.action for change in again} <= {Action.UNCHANGED}
        assert await everything(store) == after


async def _is_there(specs: Specs, changes: list[Change]) -> None:
    stored = {spec.id: spec for spec in await specs.read()}
    for change in changes:
        if change.action is Action.DELETED:
            assert change.id not in stored
        else:
            assert stored[change.id].document == change.after
            assert stored[change.id].revision == change.revision


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    store = open_store(url)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def run(url: str, rounds: list[tuple[list[Documents], Prune]]) -> None:
    async def main() -> None:
        async with opened(url) as store:
            await check(store, rounds)

    asyncio.run(main())


@settings(deadline=None, max_examples=150)
@given(ROUNDS)
def test_in_memory(rounds: list[tuple[list[Documents], Prune]]) -> None:
    run("memory:", rounds)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(ROUNDS)
def test_in_sqlite(rounds: list[tuple[list[Documents], Prune]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(f"sqlite:///{Path(folder)}/runs.db", rounds)


@pytest.mark.slow
def test_in_postgres(postgres_server: PostgresServer) -> None:
    @settings(deadline=None, max_examples=25)
    @given(ROUNDS)
    def check_all(rounds: list[tuple[list[Documents], Prune]]) -> None:
        run(postgres_server.database(), rounds)

    every: Callable[[], None] = check_all
    every()
