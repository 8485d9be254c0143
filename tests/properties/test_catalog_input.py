"""Whatever data comes in: it is written, or refused with the reason, and nothing in between."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.core.catalog import Collection
from penstock.core.errors import DocumentError, EntryNotFound, StoreConflict
from penstock.engine.catalog.filters import read_filters
from penstock.engine.catalog.specs import Specs
from penstock.engine.catalog.values import Values
from penstock.kinds import standard_scheme
from penstock.store.keys import GivenKeys, Key
from penstock.store.memory import MemoryStore
from penstock.store.vault import Vault

PATIENT: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=200)
SCHEME: Final = standard_scheme()
FIELDS: Final = st.sampled_from(
    [
        *("flow", "kind", "name", "id", "namespace", "revision", "nodes", "connections", "links"),
        *("ports", "out", "error", "env", "data", "settings", "inputs", "outputs", "annotations"),
        *("retry", "timeout", "join", "specs", "config", "message", "language", "code", "from", "to"),
    ]
)
WORDS: Final = st.sampled_from(
    [
        *("a", "b", "default", "debug.log", "snippet", "call", "flow", "block"),
        *("cel", "self", "literal", "1", "2s", "a.in", "{{T}}", "any"),
    ]
)
SCALARS: Final = (
    WORDS
    | st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.floats()
    | st.text(max_size=3)
    | st.binary(max_size=2)
)
DATA: Final = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | st.text(max_size=2), inner),
    max_leaves=20,
)
SPEC: Final = st.fixed_dictionaries(
    {"kind": st.sampled_from(["debug.log", "snippet", "call", "flow", "loop"]), "name": WORDS},
    optional={
        **dict.fromkeys(("links", "env", "retry", "message", "code", "revision", "id", "nodes"), DATA),
        "language": st.sampled_from(["cel", "python", "literal"]),
        "flow": WORDS,
    },
)
ANY: Final = DATA | SPEC | st.lists(SPEC | DATA, max_size=3)


def handle(data: Any) -> None:
    async def main() -> None:
        store = MemoryStore()
        specs = Specs(store, scheme=SCHEME)
        values = Values(store, vault=Vault(GivenKeys(Key.new().text)))
        await specs.create({"kind": "debug.log", "name": "a", "id": "1"})
        await values.create({"name": "a", "data": {"b": 1}})
        for act in (specs.create, specs.update, values.create, values.update):
            before = await contents(store)
            try:
                changes = await act(data)
            except (DocumentError, StoreConflict, EntryNotFound):
                assert await contents(store) == before
            else:
                assert all(change.after is not None for change in changes)
        await specs.read()
        await values.read(reveal=True)

    asyncio.run(main())


async def contents(store: MemoryStore) -> list[object]:
    return [await store.entries(collection) for collection in Collection]


@PATIENT
@given(ANY)
def test_of_documents(data: Any) -> None:
    handle(data)


@PATIENT
@given(ANY)
def test_of_filters(data: Any) -> None:
    with contextlib.suppress(DocumentError):
        assert isinstance(read_filters(data), list)
