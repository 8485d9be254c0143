"""What a node may return, and what is said of what it may not."""

from __future__ import annotations

from typing import Any

import pytest
from tests.engine.flows import graph
from tests.engine.packets import answer
from tests.engine.watching import result_of

from penstock import Action, Emit, Inputs, Outputs, Runtime, node


async def test_an_empty_emit_on_an_unlinked_port_answers_nothing(runtime: Runtime) -> None:
    assert await answer(runtime, "kind: burst, name: a, items: []") in (None, [])


async def test_several_packets_on_a_plain_port_are_a_mistake_that_is_told(runtime: Runtime) -> None:
    class Wrong(Action, kind="wrong", pure=True):
        in_ports = {}

        def run(self, inputs: Inputs) -> Outputs:
            return {"out": Emit([1, 2])}

    run = await runtime.start(graph("{flow: f, nodes: [{kind: wrong, name: a}]}", Wrong))
    with pytest.raises(Exception, match="several packets on `out`"):
        await result_of(run)


@pytest.mark.parametrize("returned", [1, "text", [1], ("a", "b")])
async def test_what_is_no_mapping_of_ports_is_a_mistake_that_is_told(
    runtime: Runtime, returned: Any
) -> None:
    class Wrong(Action, kind="wrong"):
        in_ports = {}

        async def run(self, inputs: Inputs) -> Any:
            return returned

    run = await runtime.start(graph("{flow: f, nodes: [{kind: wrong, name: a}]}", Wrong))
    with pytest.raises(Exception, match="not a mapping of ports"):
        await result_of(run)


async def test_a_port_that_was_not_declared_is_a_mistake_that_is_told(runtime: Runtime) -> None:
    class Wrong(Action, kind="wrong"):
        in_ports = {}

        async def run(self, inputs: Inputs) -> Outputs:
            return {"outt": 1}

    run = await runtime.start(graph("{flow: f, nodes: [{kind: wrong, name: a}]}", Wrong))
    with pytest.raises(Exception, match="outt"):
        await result_of(run)


async def test_any_mapping_may_be_returned(runtime: Runtime) -> None:
    from types import MappingProxyType

    class Proxy(Action, kind="proxy"):
        in_ports = {}

        async def run(self, inputs: Inputs) -> Outputs:
            return MappingProxyType({"out": 1})

    run = await runtime.start(graph("{flow: f, nodes: [{kind: proxy, name: a}]}", Proxy))
    assert await result_of(run) == 1


async def test_the_engine_changes_no_payload(runtime: Runtime) -> None:
    original = {"rows": [1, 2, {"deep": (3, 4)}]}

    @node("own")
    async def own() -> Any:
        return original

    @node("spoil")
    async def spoil(value: Any) -> int:
        value["rows"].append("spoilt")
        return 1

    text = "{flow: f, nodes: [{kind: own, name: a, links: {out: b}}, {kind: spoil, name: b}]}"
    run = await runtime.start(graph(text, own, spoil))
    await result_of(run)
    assert original == {"rows": [1, 2, {"deep": (3, 4)}]}
