"""`call`: what reaches the called flow, which of its settings hold, and what is refused."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from tests.properties.execution import passing_time

from penstock import Runtime, load_flow
from penstock.core.errors import DocumentError, RunFailed
from penstock.store.memory import MemoryStore
from penstock.testing.clock import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

    from penstock import Run

CALLER = """
    flow: caller
    inputs: {given: {}}
    nodes:
      - {kind: snippet, name: give, language: cel, code: self.given, links: {out: call}}
      - {kind: call, name: call, flow: inner.yaml, inputs: {n: 1}}
"""
DECLARING = """
    flow: inner
    inputs: {n: {type: integer}, m: {type: integer, default: 5}}
    nodes:
      - {kind: snippet, name: all, language: cel, code: self}
"""
TAKING_ALL = """
    flow: inner
    nodes:
      - {kind: snippet, name: all, language: cel, code: self}
"""


@pytest.fixture
def outcome(tmp_path: Path) -> Any:
    """The result of a flow that calls `inner.yaml`, in a time that passes by itself."""

    async def run(document: str, inner: str, **inputs: Any) -> Any:
        (tmp_path / "inner.yaml").write_text(textwrap.dedent(inner))
        (tmp_path / "flow.yaml").write_text(textwrap.dedent(document))
        clock = FakeClock()
        async with passing_time(clock), Runtime(MemoryStore(), clock=clock) as runtime:
            started: Run = await runtime.start(load_flow(str(tmp_path / "flow.yaml")), **inputs)
            return await started.result()

    return run


@pytest.mark.parametrize(
    ("inner", "given", "arrived"),
    [
        (DECLARING, None, {"n": 1, "m": 5}),
        (DECLARING, {"n": 2}, {"n": 2, "m": 5}),
        (DECLARING, {"m": 3, "other": 4}, {"n": 1, "m": 3}),
        (TAKING_ALL, {"other": 4}, {"n": 1, "other": 4}),
    ],
)
async def test_what_arrives_adds_to_the_inputs_that_the_flow_declares(
    outcome: Any, inner: str, given: Any, arrived: Any
) -> None:
    assert await outcome(CALLER, inner, given=given) == arrived


@pytest.mark.parametrize("given", ["text", [1], 7, {"n": "many"}, b"n"])
async def test_inputs_that_do_not_fit_fail_the_call_and_say_where_to_set_them(
    outcome: Any, given: Any
) -> None:
    with pytest.raises(RunFailed) as caught:
        await outcome(CALLER, DECLARING, given=given)
    error = caught.value.error
    assert (error.code, error.node) == ("call.inputs", "call")
    assert "`inputs`" in error.remedy


async def test_a_called_flow_keeps_its_own_timeout(outcome: Any) -> None:
    inner = """
        flow: inner
        settings: {timeout: 2s}
        nodes: [{kind: delay, name: nap, duration: 1m}]
    """
    with pytest.raises(RunFailed, match="took longer than 2s") as caught:
        await outcome(CALLER, inner, given=None)
    assert caught.value.error.code == "timeout"


async def test_a_called_flow_that_continues_goes_on_beside_its_failures(outcome: Any) -> None:
    inner = """
        flow: inner
        settings: {on_error: continue}
        nodes:
          - {kind: throw, name: bad}
          - {kind: snippet, name: good, language: text, code: good}
    """
    assert await outcome(CALLER, inner, given=None) == "good"


@pytest.mark.parametrize(
    ("flow", "said"),
    [
        ("inner.yml", "there is no such file; did you mean"),
        ("flow.yaml", "call each other in a circle"),
        ("no_such_module_here:f", "no_such_module_here"),
    ],
)
async def test_a_flow_that_cannot_be_called_is_told_at_the_place_that_names_it(
    outcome: Any, flow: str, said: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        await outcome(CALLER.replace("inner.yaml", flow), TAKING_ALL)
    (problem,) = caught.value.problems
    assert problem.path == ("nodes", 1, "flow")
    assert said in problem.message


async def test_what_is_wrong_inside_a_called_flow_is_told_with_its_place_there(outcome: Any) -> None:
    with pytest.raises(DocumentError) as caught:
        await outcome(CALLER, TAKING_ALL.replace("code: self", "code: self +"))
    (problem,) = caught.value.problems
    assert problem.place is not None
    assert problem.place.file.endswith("inner.yaml")
