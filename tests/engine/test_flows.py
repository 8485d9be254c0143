"""Finding flows, and flows that call flows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.flows import graph, scheme_with
from tests.engine.watching import data_of, result_of, story

from penstock import Context, Runtime, flow, load_flow, node, step
from penstock.core.errors import (
    DocumentError,
    SettingsError,
)

if TYPE_CHECKING:
    from pathlib import Path


@node("say", pure=True)
def say(value: Any) -> Any:
    return value


@pytest.mark.parametrize(
    ("reference", "error", "message"),
    [
        ("nowhere.yaml", DocumentError, "nowhere.yaml"),
        ("no_such_module:flow", SettingsError, "cannot import `no_such_module`"),
        ("json:__all__", SettingsError, "is a value of type `list`, not a flow"),
        ("json:nothing", SettingsError, "has no `nothing`"),
        ("nowhere.py", SettingsError, "no file"),
    ],
)
def test_a_flow_that_is_not_there_is_told(reference: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        load_flow(reference)


def test_of_several_flows_one_must_be_named(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(
        "- {kind: flow, flow: one, nodes: [{kind: delay, name: a, duration: 1}]}\n"
        "- {kind: flow, flow: two, nodes: [{kind: delay, name: a, duration: 1}]}\n"
    )
    with pytest.raises(SettingsError, match="several flows: one, two"):
        load_flow(file)
    assert load_flow(file, name="two").name == "two"
    with pytest.raises(SettingsError, match="has no flow `tow`") as raised:
        load_flow(file, name="tow")
    assert "`two`" in raised.value.remedy


async def test_a_flow_calls_a_flow_as_its_child(tmp_path: Path, runtime: Runtime) -> None:
    (tmp_path / "inner.yaml").write_text(
        "flow: inner\n"
        "inputs: {value: {type: integer}}\n"
        "required: [value]\n"
        "nodes: [{kind: say, name: s}]\n"
    )
    (tmp_path / "outer.yaml").write_text(
        "flow: outer\nnodes: [{kind: call, name: c, flow: inner.yaml, inputs: {value: 7}}]\n"
    )
    run = await runtime.start(load_flow(tmp_path / "outer.yaml", scheme=scheme_with(say)))
    assert await result_of(run) == 7
    events = await story(run)
    (started,) = data_of(events, "child.started", "c[0]")
    assert (started["flow"], started["inputs"]) == ("inner", {"value": 7})
    assert [row.flow for row in await runtime.runs()] == ["outer"], "a child is no run of its own"


async def test_wrong_inputs_of_a_called_flow_go_to_the_error_port(
    tmp_path: Path, runtime: Runtime
) -> None:
    (tmp_path / "inner.yaml").write_text(
        "flow: inner\n"
        "inputs: {value: {type: integer}}\n"
        "required: [value]\n"
        "nodes: [{kind: say, name: s}]\n"
    )
    (tmp_path / "outer.yaml").write_text(
        "flow: outer\n"
        "nodes:\n"
        "  - {kind: call, name: c, flow: inner.yaml, inputs: {value: x}, links: {error: s}}\n"
        "  - {kind: say, name: s}\n"
    )
    run = await runtime.start(load_flow(tmp_path / "outer.yaml", scheme=scheme_with(say)))
    assert "do not fit flow `inner`" in (await result_of(run)).message


def test_flows_that_call_each_other_in_a_circle_are_refused(tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{name}.yaml").write_text(
            f"flow: {name}\nnodes: [{{kind: call, name: c, flow: {other}.yaml}}]\n"
        )
    with pytest.raises(DocumentError, match="in a circle"):
        load_flow(tmp_path / "a.yaml")


async def test_a_graph_may_call_a_python_flow_and_is_told_when_that_changed(tmp_path: Path) -> None:
    gate = asyncio.Event()

    @step
    async def held() -> None:
        await gate.wait()

    @flow
    async def job(ctx: Context) -> str:
        await ctx.step(held)
        return "done"

    import sys
    import types

    module = types.ModuleType("jobs_of_a_test")
    module.job = job  # type: ignore[attr-defined]
    sys.modules["jobs_of_a_test"] = module
    try:
        calls = graph("{flow: f, nodes: [{kind: call, name: c, flow: 'jobs_of_a_test:job'}]}")
        gate.set()
        async with Runtime(f"sqlite:///{tmp_path}/runs.db") as runtime:
            assert await result_of(await runtime.start(calls)) == "done"
    finally:
        del sys.modules["jobs_of_a_test"]
