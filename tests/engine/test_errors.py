"""What a failure does: error ports, the three strategies, and what the result says."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.engine.failing import KINDS, give
from tests.engine.flows import graph
from tests.engine.watching import lines, result_of, story

from penstock import (
    Error,
    NodeError,
    Runtime,
    node,
)
from penstock.core.errors import RunFailed
from penstock.core.states import RunState


async def test_a_failure_that_nothing_catches_fails_the_run(runtime: Runtime) -> None:
    run = await runtime.start(graph("{flow: f, nodes: [{kind: fail, name: a}]}", *KINDS), value=7)
    with pytest.raises(RunFailed, match=r"failed at `a`: no luck\ntry a coin") as raised:
        await result_of(run)
    error = raised.value.error
    assert (error.code, error.message, error.node) == ("luck", "no luck", "a")
    assert error.details == {"value": 7}
    assert raised.value.fid == run.fid
    row = await run.row()
    assert (row.state, row.error) == (RunState.FAILED, "no luck")


async def test_an_exception_is_named_by_its_class(runtime: Runtime) -> None:
    run = await runtime.start(graph("{flow: f, nodes: [{kind: pure.fail, name: a}]}", *KINDS))
    with pytest.raises(RunFailed) as raised:
        await result_of(run)
    assert (raised.value.error.code, raised.value.error.message) == ("ValueError", "ValueError: no luck")


@pytest.mark.parametrize("kind", ["fail", "pure.fail"])
@pytest.mark.parametrize("record", ["full", "none"])
async def test_what_the_error_branch_answers_takes_the_place_of_the_output(
    runtime: Runtime, kind: str, record: str
) -> None:
    text = f"""
    flow: f
    settings: {{record: {record}}}
    nodes:
      - {{kind: {kind}, name: a, links: {{error: sorry, out: never}}}}
      - {{kind: give, name: sorry, what: sorry}}
      - {{kind: give, name: never}}
      - {{kind: give, name: z, what: z}}
    """
    run = await runtime.start(graph(text, *KINDS))
    assert await result_of(run) == ["sorry", "z"]


async def test_an_error_port_carries_the_error(runtime: Runtime) -> None:
    text = "{flow: f, nodes: [{kind: fail, name: a, links: {error: b}}, {kind: give, name: b}]}"
    run = await runtime.start(graph(text, *KINDS))
    found = await result_of(run)
    assert isinstance(found, Error)
    assert found.error() == "no luck"
    assert (await run.row()).state is RunState.COMPLETED


async def test_an_error_reaches_a_join_as_a_value(runtime: Runtime) -> None:
    text = """
    flow: f
    nodes:
      - {kind: fail, name: a, links: {out: "g.in[0]", error: "g.in[1]"}}
      - {kind: give, name: b, what: 1, links: {out: "g.in[2]", error: "g.in[3]"}}
      - {kind: gather, name: g}
    """
    found = await result_of(await runtime.start(graph(text, *KINDS)))
    assert [getattr(item, "code", item) for item in found] == ["luck", 1]


async def test_without_a_failure_the_error_branch_is_skipped(runtime: Runtime) -> None:
    text = """
    flow: f
    nodes:
      - {kind: give, name: a, what: 1, links: {error: sorry, out: b}}
      - {kind: give, name: sorry}
      - {kind: give, name: b}
    """
    run = await runtime.start(graph(text, *KINDS))
    assert await result_of(run) == 1
    assert lines(await story(run), "node.skipped") == ["node.skipped sorry"]


async def test_an_error_port_does_not_catch_what_fails_further_down(runtime: Runtime) -> None:
    text = """
    flow: f
    nodes:
      - {kind: give, name: a, what: 1, links: {out: b, error: sorry}}
      - {kind: fail, name: b}
      - {kind: give, name: sorry}
    """
    with pytest.raises(RunFailed, match="failed at `b`"):
        await result_of(await runtime.start(graph(text, *KINDS)))


async def test_a_failure_in_the_error_branch_fails_the_run(runtime: Runtime) -> None:
    text = """
    flow: f
    nodes:
      - {kind: fail, name: a, links: {error: b}}
      - {kind: fail, name: b, text: worse}
    """
    with pytest.raises(RunFailed, match="failed at `b`: worse"):
        await result_of(await runtime.start(graph(text, *KINDS)))


async def test_a_child_s_failure_is_its_caller_s_and_names_the_firing_inside(runtime: Runtime) -> None:
    text = """
    flow: f
    nodes:
      - {kind: within, name: w, links: {out: x, error: caught}}
      - {kind: within, name: x, links: {out: y}}
      - {kind: fail, name: y}
      - {kind: give, name: caught}
    """
    found = await result_of(await runtime.start(graph(text, *KINDS)))
    assert (found.code, found.node, found.message) == ("luck", "w[0]/x[0]/y", "no luck")
    assert found.details == {"value": {}}


async def test_nested_errors_survive_as_payloads(runtime: Runtime, tmp_path: Any) -> None:
    @node("nest")
    async def nest() -> None:
        try:
            raise ValueError("inner")
        except ValueError as inner:
            raise NodeError(
                "outer", code="o", details={"cause": inner, "list": [OSError("x")]}
            ) from inner

    text = "{flow: f, nodes: [{kind: nest, name: a, links: {error: b}}, {kind: give, name: b}]}"
    async with Runtime(f"sqlite:///{tmp_path}/runs.db") as durable:
        for place in (runtime, durable):
            found = await result_of(await place.start(graph(text, nest, give)))
            assert found.code == "o"
            assert found.details["cause"] == Error(code="ValueError", message="ValueError: inner")
            assert found.details["list"][0].code == "OSError"


async def test_an_exception_group_is_one_failure(runtime: Runtime) -> None:
    @node("group")
    async def group(value: Any = None) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_raise("one"), name="one")
            tasks.create_task(_raise("two"), name="two")

    text = "{flow: f, nodes: [{kind: group, name: a, links: {error: b}}, {kind: give, name: b}]}"
    found = await result_of(await runtime.start(graph(text, group, give)))
    assert found.code == "ExceptionGroup"


async def _raise(text: str) -> None:
    raise OSError(text)


async def test_a_caught_group_of_failures_leaves_no_trace(runtime: Runtime) -> None:
    @node("careful")
    async def careful(value: Any = None) -> str:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_raise("one"), name="one")
        except ExceptionGroup:
            return "caught"
        return "never"

    text = "{flow: f, nodes: [{kind: careful, name: a, links: {out: b}}, {kind: careful, name: b}]}"
    assert await result_of(await runtime.start(graph(text, careful))) == "caught"


async def test_an_error_may_be_returned_like_any_payload(runtime: Runtime) -> None:
    @node("returns")
    async def returns() -> Any:
        return ValueError("as a value")

    found = await result_of(
        await runtime.start(graph("{flow: f, nodes: [{kind: returns, name: a}]}", returns))
    )
    assert found == Error(code="ValueError", message="ValueError: as a value")
