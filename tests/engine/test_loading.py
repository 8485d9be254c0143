"""Loading and unloading: once, in order, and whatever fails."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.flows import graph, scheme_with
from tests.engine.watching import result_of, seen

from penstock import (
    Action,
    Inputs,
    Outputs,
    Port,
    Runtime,
    field,
    load_flow,
    node,
)
from penstock.core.errors import DocumentError

if TYPE_CHECKING:
    from pathlib import Path


class Life(Action, kind="life"):
    """Tell what happens to it."""

    label: str
    fails: str = ""
    in_ports = {"in": Port(default=None)}
    told: list[str] = field(default_factory=list, init=False)

    async def load(self) -> None:
        LIVES.append(f"load {self.label}")
        await asyncio.sleep(0)
        if self.fails == "load":
            raise OSError(f"cannot load {self.label}")
        self.told.append("loaded")

    async def unload(self) -> None:
        LIVES.append(f"unload {self.label}")
        if self.fails == "unload":
            raise OSError(f"cannot unload {self.label}")

    async def run(self, inputs: Inputs) -> Outputs:
        return {"out": list(self.told)}


LIVES: list[str] = []


@pytest.fixture(autouse=True)
def _no_lives() -> None:
    LIVES.clear()


LIFE = """
flow: f
nodes:
  - {kind: life, name: a, label: a, links: {out: b}}
  - {kind: life, name: b, label: b, links: {out: c}}
  - {kind: life, name: c, label: c}
"""


async def test_nodes_are_loaded_once_dependencies_first_and_unloaded_in_reverse() -> None:
    flow = graph(LIFE, Life)
    async with Runtime("memory:") as runtime:
        for _ in range(2):
            assert await result_of(await runtime.start(flow)) == ["loaded"]
        assert LIVES == ["load c", "load b", "load a"]
    assert LIVES[3:] == ["unload a", "unload b", "unload c"]


async def test_runs_that_start_together_share_one_loading() -> None:
    flow = graph(LIFE, Life)
    async with Runtime("memory:") as runtime:
        runs = await asyncio.gather(*(runtime.start(flow) for _ in range(5)))
        assert [await result_of(run) for run in runs] == [["loaded"]] * 5
    assert LIVES == ["load c", "load b", "load a", "unload a", "unload b", "unload c"]


async def test_a_failing_load_unloads_what_was_loaded_and_starts_nothing() -> None:
    flow = graph(LIFE.replace("label: a,", "label: a, fails: load,"), Life)
    async with Runtime("memory:") as runtime:
        with pytest.raises(Exception, match="cannot load a"):
            await runtime.start(flow)
        assert LIVES == ["load c", "load b", "load a", "unload b", "unload c"]
        assert await runtime.runs() == []
        LIVES.clear()
        with pytest.raises(Exception, match="cannot load a"):
            await runtime.start(flow)
        assert LIVES[:3] == ["load c", "load b", "load a"], "it is tried again"


async def test_a_failing_unload_keeps_nothing_else_from_closing(tmp_path: Path) -> None:
    other = graph("{flow: g, nodes: [{kind: life, name: z, label: z}]}", Life)
    flow = graph(LIFE.replace("label: b,", "label: b, fails: unload,"), Life)
    runtime = Runtime(f"sqlite:///{tmp_path}/runs.db")
    await runtime.__aenter__()
    await result_of(await runtime.start(other))
    await result_of(await runtime.start(flow))
    LIVES.clear()
    with pytest.raises((OSError, ExceptionGroup)):
        await runtime.__aexit__(None, None, None)
    assert LIVES == ["unload a", "unload b", "unload c", "unload z"]
    with pytest.raises(Exception, match="not open"):
        await runtime.store.runs()


async def test_a_called_flow_is_unloaded_too(tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text("flow: inner\nnodes: [{kind: life, name: x, label: inner}]\n")
    (tmp_path / "outer.yaml").write_text(
        "flow: outer\nnodes: [{kind: call, name: c, flow: inner.yaml}]\n"
    )
    flow = load_flow(tmp_path / "outer.yaml", scheme=scheme_with(Life))
    async with Runtime("memory:") as runtime:
        runs = await asyncio.gather(*(runtime.start(flow) for _ in range(3)))
        assert [await result_of(run) for run in runs] == [["loaded"]] * 3
    assert LIVES == ["load inner", "unload inner"]


async def test_nothing_is_unloaded_while_a_run_needs_it() -> None:
    gate = asyncio.Event()

    @node("hold")
    async def hold(value: Any = None) -> None:
        try:
            await gate.wait()
        finally:
            LIVES.append("run ended")

    text = "{flow: f, nodes: [{kind: life, name: a, label: a, links: {out: b}}, {kind: hold, name: b}]}"
    async with Runtime("memory:") as runtime:
        run = await runtime.start(graph(text, Life, hold))
        await seen(run, "node.started", "b")
    assert LIVES == ["load a", "run ended", "unload a"]


async def test_hidden_fields_cannot_be_set_by_a_document() -> None:
    with pytest.raises(DocumentError, match="`life` has no field `told`"):
        graph("{flow: f, nodes: [{kind: life, name: a, label: a, told: [x]}]}", Life)
