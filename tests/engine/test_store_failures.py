"""When the journal cannot be written: no further effect, a clear message, nothing lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.flows import graph, scheme_with
from tests.engine.watching import lines, recorded, result_of, story, until

from penstock import NodeContext, NodeError, Runtime, node
from penstock.core.errors import RunFailed, StoreError, StoreFull
from penstock.core.states import RunState
from penstock.store.memory import MemoryStore
from penstock.store.sqlite import SqliteStore
from penstock.testing.faults import FaultyStore

if TYPE_CHECKING:
    from pathlib import Path

CHAIN = """
flow: chain
nodes:
  - {kind: effect, name: a, links: {out: b}}
  - {kind: effect, name: b, links: {out: c}}
  - {kind: effect, name: c}
"""
FULL = StoreFull("the disk is full", remedy="free some space, then resume")


class Ledger:
    """A kind that writes down each of its effects."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []

        @node("effect")
        async def effect(value: Any = None, *, ctx: NodeContext) -> str:
            self.done.append((ctx.node, ctx.idempotency_key))
            await asyncio.sleep(0)
            return ctx.node

        self.kind = effect

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.done]


@pytest.mark.parametrize("number", [2, 3, 4])
async def test_no_effect_runs_after_a_commit_failed_and_the_run_can_be_resumed(
    tmp_path: Path, number: int
) -> None:
    ledger = Ledger()
    store = FaultyStore(SqliteStore(tmp_path / "runs.db"), fail={number: FULL})
    async with Runtime(store, scheme=scheme_with(ledger.kind)) as runtime:
        run = await runtime.start(graph(CHAIN, ledger.kind))
        with pytest.raises(StoreFull, match="free some space"):
            await result_of(run)
        assert store.commits == number
        before = list(ledger.names)
        assert before == ["a", "b", "c"][: number - 1]
        assert (await run.row()).state is RunState.RUNNING
        committed = lines(await runtime.store.events(run.fid), "node.completed")
        again = await runtime.resume(run.fid)
        assert await result_of(again) == "c"
        for name in before:
            times = 1 if f"node.completed {name}" in committed else 2
            assert ledger.names.count(name) == times
        assert len(set(ledger.done)) == 3, "a repeated effect has the same idempotency key"


@pytest.mark.parametrize("number", [2, 3, 4])
async def test_a_commit_whose_answer_is_lost_repeats_nothing(tmp_path: Path, number: int) -> None:
    ledger = Ledger()
    store = FaultyStore(SqliteStore(tmp_path / "runs.db"), lose={number: StoreError("connection lost")})
    async with Runtime(store, scheme=scheme_with(ledger.kind)) as runtime:
        run = await runtime.start(graph(CHAIN, ledger.kind))
        with pytest.raises(StoreError, match="connection lost"):
            await result_of(run)
        assert await result_of(await runtime.resume(run.fid)) == "c"
        assert ledger.names == ["a", "b", "c"]


async def test_a_run_that_could_not_be_created_is_refused_at_once() -> None:
    ledger = Ledger()
    store = FaultyStore(MemoryStore(), fail={1: FULL})
    async with Runtime(store) as runtime:
        flow = graph(CHAIN, ledger.kind)
        with pytest.raises(StoreFull, match="the disk is full"):
            await runtime.start(flow)
        assert await runtime.runs() == []
        assert await result_of(await runtime.start(flow)) == "c"
        assert ledger.names == ["a", "b", "c"]


async def test_whoever_asks_later_for_the_result_of_a_broken_run_hears_why() -> None:
    ledger = Ledger()
    store = FaultyStore(MemoryStore(), fail={2: FULL})
    async with Runtime(store) as runtime:
        run = await runtime.start(graph(CHAIN, ledger.kind))
        await until(lambda: store.commits == 2 and not runtime._executions)
        with pytest.raises(StoreFull, match="the disk is full"):
            await result_of(run)


async def test_a_follower_of_a_broken_run_hears_why() -> None:
    ledger = Ledger()
    store = FaultyStore(MemoryStore(), fail={2: FULL})
    async with Runtime(store) as runtime:
        run = await runtime.start(graph(CHAIN, ledger.kind))
        with pytest.raises(StoreFull, match="the disk is full"):
            await story(run)


async def test_the_last_commit_failing_is_not_taken_for_success() -> None:
    store = FaultyStore(MemoryStore(), fail={2: FULL})

    @node("quick", pure=True)
    def quick() -> int:
        return 1

    async with Runtime(store) as runtime:
        run = await runtime.start(graph("{flow: f, nodes: [{kind: quick, name: a}]}", quick))
        with pytest.raises(StoreFull):
            await result_of(run)


async def test_what_one_run_did_wrong_does_not_break_the_others(tmp_path: Path) -> None:
    ledger = Ledger()
    async with Runtime(SqliteStore(tmp_path / "runs.db")) as runtime:
        flow = graph(CHAIN, ledger.kind)
        first = await runtime.start(flow)
        await result_of(first)
        other, twin = await asyncio.gather(
            runtime.start(flow), runtime.launch(flow, fid=first.fid), return_exceptions=True
        )
        assert isinstance(twin, StoreError)
        assert "there is a run" in str(twin)
        assert not isinstance(other, BaseException)
        assert await result_of(other) == "c"


class Opaque:
    """A value of no payload form."""


async def test_an_error_whose_details_have_no_payload_form_is_still_told(tmp_path: Path) -> None:
    @node("fails")
    async def fails() -> None:
        raise NodeError("odd", code="odd", details={"what": Opaque()})

    async with Runtime(SqliteStore(tmp_path / "runs.db")) as runtime:
        run = await runtime.start(graph("{flow: f, nodes: [{kind: fails, name: a}]}", fails))
        with pytest.raises(RunFailed, match="odd"):
            await result_of(run)


@pytest.mark.parametrize("text", ["\ud800", "\x00", "x" * 3_000_000], ids=["surrogate", "nul", "huge"])
async def test_an_error_with_any_text_is_still_told(tmp_path: Path, text: str) -> None:
    @node("fails")
    async def fails() -> None:
        raise ValueError(text)

    async with Runtime(SqliteStore(tmp_path / "runs.db")) as runtime:
        run = await runtime.start(graph("{flow: f, nodes: [{kind: fails, name: a}]}", fails))
        with pytest.raises(RunFailed, match="ValueError"):
            await result_of(run)
        assert (await runtime.runs())[0].state is RunState.FAILED


async def test_a_run_s_row_keeps_a_summary_of_a_huge_message(runtime: Runtime) -> None:
    @node("fails")
    async def fails() -> None:
        raise ValueError("first line\n" + "x" * 3_000_000)

    run = await runtime.start(graph("{flow: f, nodes: [{kind: fails, name: a}]}", fails))
    with pytest.raises(RunFailed) as raised:
        await result_of(run)
    assert len(raised.value.error.message) > 3_000_000
    row = await run.row()
    assert row.error.startswith("ValueError: first line")
    assert len(row.error) <= 1_000


async def test_an_exception_that_cannot_even_be_shown_is_still_told(runtime: Runtime) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

        def __reduce__(self) -> Any:
            raise TypeError("no pickle")

    @node("fails")
    async def fails() -> None:
        raise Mute

    run = await runtime.start(graph("{flow: f, nodes: [{kind: fails, name: a}]}", fails))
    with pytest.raises(RunFailed, match="Mute") as raised:
        await result_of(run)
    assert raised.value.error.code == "Mute"


async def test_a_node_that_leaves_the_program_fails_its_run_and_nothing_else(runtime: Runtime) -> None:
    @node("leaves")
    async def leaves() -> None:
        raise SystemExit(3)

    run = await runtime.start(graph("{flow: f, nodes: [{kind: leaves, name: a}]}", leaves))
    with pytest.raises(RunFailed, match="SystemExit"):
        await result_of(run)


async def test_a_failing_release_of_resources_fails_the_run(runtime: Runtime) -> None:
    @node("opens")
    async def opens(*, ctx: NodeContext) -> int:
        def refuse() -> None:
            raise OSError("cannot close")

        ctx.resources.callback(refuse)
        return 1

    run = await runtime.start(graph("{flow: f, nodes: [{kind: opens, name: a}]}", opens))
    with pytest.raises(RunFailed, match="cannot close"):
        await result_of(run)


async def test_state_of_no_payload_form_fails_the_node_and_not_the_store(tmp_path: Path) -> None:
    @node("keeps")
    async def keeps(*, ctx: NodeContext) -> int:
        ctx.state["what"] = Opaque()
        return 1

    async with Runtime(SqliteStore(tmp_path / "runs.db")) as runtime:
        run = await runtime.start(graph("{flow: f, nodes: [{kind: keeps, name: a}]}", keeps))
        with pytest.raises(RunFailed, match="Opaque"):
            await result_of(run)


async def test_a_store_that_raises_something_unexpected_breaks_the_run_and_not_the_runtime() -> None:
    store = FaultyStore(MemoryStore(), fail={2: RuntimeError("a defect of the store")})
    ledger = Ledger()
    async with Runtime(store) as runtime:
        run = await runtime.start(graph(CHAIN, ledger.kind))
        with pytest.raises(StoreError, match="a defect of the store"):
            await result_of(run)
        assert ledger.names == ["a"]
        assert await recorded(runtime, run)


async def test_closing_reports_a_commit_that_failed_on_the_way_out() -> None:
    store = FaultyStore(MemoryStore(), fail={2: FULL})
    async with asyncio.timeout(5):
        async with Runtime(store) as runtime:
            run = await runtime.start(graph("{flow: f, nodes: [{kind: delay, name: a, duration: 1h}]}"))
            await until(lambda: runtime._executions[run.fid].journal.dirty)
    assert store.commits == 2
    assert (await store.run(run.fid)) is not None
    assert await seen_in(store, run.fid) == ["run.started"]


async def seen_in(store: Any, fid: str) -> list[str]:
    return [event.type for event in await store.events(fid)]
