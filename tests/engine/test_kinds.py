"""Custom kinds: by decorator and by class, loaded once, found through plugins."""

from __future__ import annotations

import itertools
from typing import Annotated, Any

import msgspec
import pytest
from tests.engine.flows import graph
from tests.engine.watching import result_of

from penstock import (
    Action,
    Duration,
    Inputs,
    NodeContext,
    Outputs,
    Port,
    Runtime,
    field,
    node,
)
from penstock.core.errors import DocumentError, RunFailed


@node("text.shout", aliases=("shout",), pure=True)
def shout(text: str, *, marks: int = 1) -> str:
    """Say it louder."""
    return text.upper() + "!" * marks


def test_a_decorated_function_stays_callable() -> None:
    assert shout("hey", marks=2) == "HEY!!"
    assert shout.__doc__ == "Say it louder."


async def test_parameters_are_ports_and_keywords_config(runtime: Runtime) -> None:
    for kind in ("text.shout", "shout"):
        flow = graph(f"{{flow: f, nodes: [{{kind: {kind}, name: a, marks: 3}}]}}", shout)
        assert await result_of(await runtime.start(flow, text="hey")) == "HEY!!!"
    assert flow.input_schema["properties"] == {"text": {"type": "string"}}
    assert flow.input_schema["required"] == ["text"]


async def test_a_payload_that_does_not_fit_the_hint_is_the_node_s_failure(runtime: Runtime) -> None:
    @node("number")
    async def number() -> Any:
        return 5

    text = "{flow: f, nodes: [{kind: number, name: n, links: {out: a}}, {kind: shout, name: a}]}"
    with pytest.raises(RunFailed, match="in-port `text`: Expected `str`, got `int`") as raised:
        await result_of(await runtime.start(graph(text, shout, number)))
    assert raised.value.error.code == "input.type"


class Item(msgspec.Struct):
    name: str
    count: int = 1


async def test_structures_arrive_as_the_hint_says(runtime: Runtime) -> None:
    @node("total")
    async def total(items: list[Item], *, ctx: NodeContext, wait: Duration) -> dict[str, Any]:
        return {
            "total": sum(item.count for item in items),
            "wait": wait.total_seconds(),
            "node": ctx.node,
        }

    total_node = graph("{flow: f, nodes: [{kind: total, name: a, wait: 2m}]}", total)
    run = await runtime.start(total_node, items=[{"name": "x", "count": 2}, {"name": "y"}])
    assert await result_of(run) == {"total": 3, "wait": 120.0, "node": "a"}


async def test_outputs_may_be_named(runtime: Runtime) -> None:
    @node("divide", outputs={"quotient": int, "rest": int})
    async def divide(number: int, by: int = 3) -> dict[str, int]:
        return {"quotient": number // by, "rest": number % by}

    text = "{flow: f, outputs: {q: a.quotient, r: a.rest}, nodes: [{kind: divide, name: a}]}"
    assert await result_of(await runtime.start(graph(text, divide), number=11)) == {"q": 3, "r": 2}


def test_parameters_without_a_name_are_refused() -> None:
    with pytest.raises(TypeError, match=r"\*values has none"):

        @node("bad")
        def bad(*values: int) -> None:
            return None


def test_mutable_defaults_are_not_shared_between_nodes() -> None:
    @node("keeps")
    def keeps(*, seen: list[int] = []) -> int:  # noqa: B006 - that is the point
        seen.append(1)
        return len(seen)

    first, second = keeps.node_class(), keeps.node_class()
    first.seen.append(1)  # type: ignore[attr-defined]
    assert second.seen == []  # type: ignore[attr-defined]


class Counter(Action, kind="counter"):
    """Count the runs that came by."""

    start: Annotated[int, msgspec.Meta(ge=0)] = 0
    labels: list[str] = field(default_factory=list)
    in_ports = {"in": Port(default=None)}

    async def load(self) -> None:
        self.numbers = itertools.count(self.start)

    async def run(self, inputs: Inputs) -> Outputs:
        return {"out": next(self.numbers)}


async def test_what_an_instance_keeps_lives_across_runs(runtime: Runtime) -> None:
    flow = graph("{flow: f, nodes: [{kind: counter, name: a, start: 5}]}", Counter)
    assert [await result_of(await runtime.start(flow)) for _ in range(3)] == [5, 6, 7]
    other = graph("{flow: g, nodes: [{kind: counter, name: a}]}", Counter)
    assert await result_of(await runtime.start(other)) == 0


async def test_what_the_config_says_is_checked_when_the_flow_is_made() -> None:
    class Fussy(Action, kind="fussy"):
        low: int = 0
        high: int = 1

        def check(self) -> None:
            if self.low > self.high:
                raise ValueError("`low` is above `high`")

    with pytest.raises(
        DocumentError, match=r"flow\.yaml:1:\d+: nodes\[0\]: `fussy`: `low` is above `high`"
    ):
        graph("{flow: f, nodes: [{kind: fussy, name: a, low: 3}]}", Fussy)


async def test_a_state_is_per_node_and_per_run(runtime: Runtime) -> None:
    class Tally(Action, kind="tally"):
        in_ports = {"in": Port(default=None)}

        async def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
            ctx.state["count"] = ctx.state.get("count", 0) + 1
            return {"out": ctx.state["count"]}

    text = """
    flow: f
    nodes:
      - {kind: tally, name: a, links: {out: [c, c, c]}}
      - {kind: tally, name: b}
      - {kind: tally, name: c}
    """
    flow = graph(text, Tally)
    for _ in range(2):
        found = await result_of(await runtime.start(flow))
        assert (sorted(found[:3]), found[3]) == ([1, 2, 3], 1)
