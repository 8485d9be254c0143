"""The inputs of a run, checked before anything runs."""

from __future__ import annotations

import math
from typing import Any

import pytest
from tests.engine.flows import graph
from tests.engine.watching import result_of

from penstock import Action, Inputs, Outputs, Port, Runtime, node
from penstock.core.errors import InputError, PenstockError


def deep(levels: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


@pytest.mark.parametrize("value", [object(), deep(5_000)], ids=["object", "deep"])
async def test_an_input_that_cannot_travel_is_refused_before_anything_runs(
    runtime: Runtime, value: Any
) -> None:
    @node("take")
    async def take(value: Any) -> Any:
        return value

    with pytest.raises(PenstockError):
        await runtime.start(graph("{flow: f, nodes: [{kind: take, name: a}]}", take), value=value)
    assert await runtime.runs() == []


INPUTS = """
flow: f
inputs:
  count: {type: integer, minimum: 1, description: how many}
  name: {type: string}
  rows: {type: array, items: {type: object, properties: {id: {type: integer}}}}
  site: {type: string, format: uri}
  size: {type: number, default: 1.5}
required: [count]
nodes: [{kind: take, name: a}]
"""


class Take(Action, kind="take", pure=True):
    """Pass on what came; it can do without."""

    in_ports = {"in": Port(default=None)}

    def run(self, inputs: Inputs) -> Outputs:
        return {"out": inputs["in"]}


async def test_inputs_get_their_defaults(runtime: Runtime) -> None:
    run = await runtime.start(graph(INPUTS, Take), count=2)
    assert await result_of(run) == {"count": 2, "size": 1.5}


@pytest.mark.parametrize(
    ("inputs", "problems"),
    [
        ({}, ["`count` is missing (integer, how many)"]),
        ({"count": "two"}, ['`count`: "two" is not of type "integer"']),
        ({"count": True}, ['`count`: true is not of type "integer"']),
        ({"count": 0}, ["`count`: 0 is less than the minimum of 1"]),
        ({"count": 1, "rows": [{"id": 1}, {"id": "x"}]}, ['`rows[1].id`: "x" is not of type "integer"']),
        ({"count": math.nan}, ["`count`"]),
        ({"count": 1, "name": b"bytes", "site": "not a uri"}, ["`site`"]),
        ({"name": 7, "size": "big"}, ["`count` is missing", "`name`: 7", "`size`"]),
    ],
)
async def test_wrong_inputs_are_refused_all_at_once(
    runtime: Runtime, inputs: dict[str, Any], problems: list[str]
) -> None:
    with pytest.raises(InputError) as raised:
        await runtime.launch(graph(INPUTS, Take), inputs)
    text = str(raised.value)
    assert "the inputs do not fit flow `f`" in text
    for problem in problems:
        assert problem in text
    assert len(raised.value.problems) == len(problems)
    assert "--set count=…" in raised.value.remedy
    assert await runtime.runs() == []


async def test_an_input_beyond_64_bits_is_checked_like_any_other(runtime: Runtime) -> None:
    text = "{flow: f, inputs: {value: {type: integer}}, nodes: [{kind: take, name: a}]}"
    run = await runtime.start(graph(text, Take), value=2**80)
    assert await result_of(run) == {"value": 2**80}
