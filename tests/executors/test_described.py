"""Flows whose code the host never imports."""

from __future__ import annotations

import os
import sys

import pytest
from tests.executors.conftest import until

from penstock import Runtime
from penstock.core.errors import InputError, SettingsError
from penstock.core.states import RunState
from penstock.engine.described import DescribedFlow
from penstock.executors.subprocess import Pool

MODULE = "tests.executors.untrusted"


@pytest.fixture
async def pool(runtime: Runtime) -> Pool:
    return runtime.executors.named("subprocess")


def imported_here() -> bool:
    return MODULE in sys.modules or "IMPORTED_UNTRUSTED" in os.environ


async def test_a_flow_is_known_without_being_imported(pool: Pool) -> None:
    [flow] = await pool.describe(f"{MODULE}:strange")
    assert flow.name == "strange"
    assert flow.description == "Multiply, in a strange way."
    assert flow.author == "Eve"
    assert flow.tags == ("strange",)
    assert flow.source == "python"
    assert flow.settings.executor == "subprocess"
    assert flow.input_schema["required"] == ["number"]
    assert flow.output_schema is not None
    assert not imported_here()


async def test_it_runs_where_it_was_imported(runtime: Runtime, pool: Pool) -> None:
    [flow] = await pool.describe(f"{MODULE}:strange")
    before = pool.workers
    run = await runtime.launch(flow, {"number": 3})
    assert await run.result() == {"product": 6}
    assert [worker for worker in pool.workers if worker.runs and worker in before]
    assert not imported_here()


async def test_its_inputs_are_checked_all_the_same(runtime: Runtime, pool: Pool) -> None:
    [flow] = await pool.describe(f"{MODULE}:strange")
    with pytest.raises(InputError, match="number"):
        await runtime.launch(flow, {})
    with pytest.raises(InputError, match="factor"):
        await runtime.launch(flow, {"number": 1, "factor": "x"})


async def test_every_flow_of_a_module_is_found(pool: Pool) -> None:
    found = await pool.describe(MODULE, every=True)
    assert [flow.name for flow in found] == ["strange", "stranger"]
    assert not imported_here()


async def test_its_runs_go_on_after_a_restart_without_an_import(opened) -> None:
    async with opened(evict_after=0.0) as runtime:
        [flow] = await runtime.executors.named("subprocess").describe(f"{MODULE}:stranger")
        run = await runtime.launch(flow)
        await until(lambda: runtime.resident == 0)
    async with opened() as runtime:
        again = runtime.get(run.fid)
        assert (await again.row()).state is RunState.WAITING
        [lock] = await runtime.locks(run.fid)
        await runtime.submit(run.fid, lock.lid, "go on")
        assert await again.result() == "go on"
    assert not imported_here()


async def test_it_cannot_be_executed_inline(pool: Pool) -> None:
    [flow] = await pool.describe(f"{MODULE}:strange")
    inline = DescribedFlow.of(_description(flow), executor="inline")
    async with Runtime("memory:") as runtime:
        run = await runtime.launch(inline, {"number": 1})
        with pytest.raises(Exception, match="not loaded in this process"):
            await run.result()


def _description(flow: DescribedFlow) -> dict[str, object]:
    document = flow.document()
    return {**document.pop("described"), "document": document}


async def test_what_is_not_there_is_one_clear_error(pool: Pool) -> None:
    with pytest.raises(SettingsError, match="no `strnge`") as refused:
        await pool.describe(f"{MODULE}:strnge")
    assert "did you mean `strange`?" in refused.value.remedy


async def test_a_module_that_ends_its_importer_ends_no_host(pool: Pool) -> None:
    with pytest.raises(SettingsError, match="ended the worker"):
        await pool.describe("tests.executors.ending:anything")
