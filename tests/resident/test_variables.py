"""Variables of the command line, where a field wants more than a text."""

from __future__ import annotations

from typing import Any

import pytest
from tests.resident.world import bell, world

from penstock.core.errors import DocumentError
from penstock.engine.resident.symbol import Status

NODES = {
    "a number": ({"kind": "listener", "name": "a", "port": "{{ .X }}"}, "0"),
    "a duration": ({"kind": "time.delay", "name": "a", "duration": "{{ X }}"}, "1ms"),
    "what only the kind can read": ({"kind": "rate_limit", "name": "a", "rate": "{{ X }}"}, "9/s"),
}


@pytest.mark.parametrize(("node", "text"), NODES.values(), ids=NODES)
async def test_a_field_may_be_a_variable_whatever_it_wants(node: dict[str, Any], text: str) -> None:
    async with world(env={"X": text}) as home:
        await home.apply(node)
        assert home.report("a").status is Status.ACTIVE


@pytest.mark.parametrize(("node", "text"), NODES.values(), ids=NODES)
async def test_a_node_waits_for_a_variable_that_nobody_has_set(node: dict[str, Any], text: str) -> None:
    async with world() as home:
        await home.apply(node)
        assert home.report("a").status is Status.WAITING
        assert home.report("a").reason == "the variable `X` is missing"


@pytest.mark.parametrize(("node", "text"), NODES.values(), ids=NODES)
async def test_a_variable_that_does_not_fit_breaks_its_node(node: dict[str, Any], text: str) -> None:
    async with world(env={"X": "nonsense"}) as home:
        await home.apply(node)
        assert home.report("a").status is Status.BROKEN
        assert "nonsense" in home.report("a").reason


@pytest.mark.parametrize("text", ["{{ X }} and more", "{{ X + 1 }}", "plain"])
async def test_a_text_that_is_no_variable_is_a_mistake_at_once(text: str) -> None:
    async with world() as home:
        with pytest.raises(DocumentError, match="expected a whole number"):
            await home.apply({"kind": "listener", "name": "a", "port": text})


async def test_a_flow_with_a_variable_may_be_applied() -> None:
    delay = {"kind": "time.delay", "name": "a", "duration": "{{ X }}"}
    async with world(env={"X": "1ms"}) as home:
        await home.apply({"flow": "f", "nodes": [delay]}, bell("f"))
        assert home.report("bell").status is Status.ACTIVE
        await home.ring({"x": 1})
