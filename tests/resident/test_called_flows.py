"""Flows of a namespace that call each other: a change of one reaches everybody who executes it."""

from typing import Any

import pytest
from tests.resident.world import World, bell

from penstock.core.errors import DocumentError
from penstock.engine.resident.symbol import Status


def answering(name: str, code: str, **fields: Any) -> dict[str, Any]:
    return {"flow": name, "nodes": [{"kind": "snippet", "language": "cel", "code": code, **fields}]}


def calling(name: str, flow: str) -> dict[str, Any]:
    return {"flow": name, "nodes": [{"kind": "call", "name": "on", "flow": flow}]}


ABOVE = (
    calling("middle", "bottom"),
    {"kind": "call", "name": "top", "flow": "middle"},
    bell("top"),
    bell("middle", name="flow"),
)


async def test_a_change_of_a_flow_reaches_those_who_call_it_through_another(home: World) -> None:
    await home.apply(*ABOVE, answering("bottom", "1"))
    assert [await home.ring(), await home.ring(bell="flow")] == [1, 1]
    await home.apply(answering("bottom", "2"))
    assert [await home.ring(), await home.ring(bell="flow")] == [2, 2]


async def test_who_calls_a_flow_through_another_waits_while_it_is_missing(home: World) -> None:
    await home.apply(*ABOVE, answering("bottom", "1"))
    await home.delete("bottom")
    assert home.report("top").reason == "the flow `bottom` is missing"
    assert home.report("bell").status is Status.WAITING
    await home.apply(answering("bottom", "3"))
    assert [await home.ring(), await home.ring(bell="flow")] == [3, 3]


async def test_a_change_of_a_value_reaches_those_who_call_the_flow_that_uses_it(home: World) -> None:
    env = {"WORD": {"name": "words", "data": "{{ .first }}"}}
    await home.value("words", {"first": "hello"})
    await home.apply(*ABOVE, answering("bottom", "'{{ .WORD }}'", env=env))
    assert [await home.ring(), await home.ring(bell="flow")] == ["hello", "hello"]
    await home.value("words", {"first": "servus"})
    assert [await home.ring(), await home.ring(bell="flow")] == ["servus", "servus"]


async def test_flows_that_would_call_each_other_in_a_circle_are_refused(home: World) -> None:
    await home.apply(*ABOVE, answering("bottom", "1"))
    with pytest.raises(DocumentError, match="bottom → middle → bottom"):
        await home.apply(calling("bottom", "middle"))
    assert await home.ring() == 1


async def test_a_flow_is_the_same_for_everybody_who_starts_it_until_it_changes(home: World) -> None:
    await home.apply(answering("one", "1"))
    flow = home.resident.flow("one")
    assert home.resident.flow("one") is flow
    await home.apply(answering("other", "1"))
    assert home.resident.flow("one") is flow
    await home.apply(answering("one", "2"))
    assert await (await home.runtime.launch(home.resident.flow("one"), {})).result() == 2
