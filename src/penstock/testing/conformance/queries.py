"""Queries of runs: every one finds what `RunQuery.admits`, newest first."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from penstock.core.states import RunState
from penstock.core.store import RunQuery, RunRow, Sight
from penstock.testing.conformance.samples import (
    StoreFactory,
    batch_of,
    fid,
    opened,
    run_row,
)

_NAMES = ("", "ada", "bob", "eve")


def _population(random: Random) -> list[RunRow]:
    return [
        run_row(
            number,
            state=random.choice(list(RunState)),
            flow=random.choice(("zen", "tao")),
            namespace=random.choice(("default", "shop")),
            launcher=random.choice(_NAMES),
            locks=random.choice((0, 0, 0, 2)),
        )
        for number in random.sample(range(1000), 80)
    ]


def _some_query(random: Random) -> RunQuery:
    """A query of a few conditions, chosen at random; each alone, and all together, in time."""
    conditions: dict[str, Any] = {
        "states": tuple(random.choices(list(RunState), k=random.randrange(1, 4))),
        "namespace": random.choice(("default", "shop", "none")),
        "flow": random.choice(("zen", "tao", "none")),
        "launcher": random.choice(_NAMES),
        "since": 1e9 + random.randrange(1000),
        "until": 1e9 + random.randrange(1000),
        "locked": True,
        "sight": Sight(
            launcher=random.choice(_NAMES),
            flows=frozenset(random.sample(("zen", "tao", "none"), random.randrange(3))),
            namespaces=frozenset(random.sample(("default", "shop"), random.choice((0, 0, 1)))),
        ),
        "before": fid(random.randrange(1000)),
        "limit": random.randrange(0, 12),
    }
    chosen = random.sample(sorted(conditions), random.choice((1, 1, 2, 2, 3, len(conditions))))
    return RunQuery(**{name: conditions[name] for name in chosen})


class QueryConformance:
    """Queries of runs: every one finds what `RunQuery.admits`, newest first."""

    @pytest.mark.parametrize("seed", range(4))
    async def test_a_query_finds_exactly_the_runs_that_it_admits(
        self, store_factory: StoreFactory, seed: int
    ) -> None:
        random = Random(seed)  # noqa: S311 - no secret
        population = _population(random)
        newest_first = sorted(population, key=lambda row: row.fid, reverse=True)
        async with opened(store_factory) as store:
            await store.commit(batch_of(*population))
            for _ in range(200):
                query = _some_query(random)
                wanted = [row for row in newest_first if query.admits(row)][: query.limit]
                assert await store.runs(query) == wanted, query

    async def test_pages_of_a_sight_follow_on_each_other(self, store_factory: StoreFactory) -> None:
        sight = Sight(launcher="ada", flows=frozenset({"tao"}))
        population = [
            run_row(n, flow="tao" if n % 3 else "zen", launcher="ada" if n % 2 else "bob")
            for n in range(40)
        ]
        async with opened(store_factory) as store:
            await store.commit(batch_of(*population))
            found: list[str] = []
            while page := await store.runs(
                RunQuery(sight=sight, limit=7, before=min(found, default=""))
            ):
                found += [row.fid for row in page]
            assert found == [fid(n) for n in reversed(range(40)) if n % 3 or n % 2]

    async def test_who_may_see_nothing_sees_nothing(self, store_factory: StoreFactory) -> None:
        async with opened(store_factory) as store:
            await store.commit(batch_of(run_row(1), run_row(2, launcher="ada")))
            assert await store.runs(RunQuery(sight=Sight())) == []

    @pytest.mark.parametrize("text", ["a\0b", "\ud800", "x" * 10_000, "%_'\"--"])
    async def test_a_text_that_no_run_has_finds_none(
        self, store_factory: StoreFactory, text: str
    ) -> None:
        async with opened(store_factory) as store:
            await store.commit(batch_of(run_row(1, key="k")))
            assert await store.run(text) is None
            assert await store.launched(text) is None
            for query in (
                RunQuery(flow=text),
                RunQuery(launcher=text),
                RunQuery(namespace=text),
                RunQuery(sight=Sight(launcher=text, flows=frozenset({text}))),
            ):
                assert await store.runs(query) == []
