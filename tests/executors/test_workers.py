"""What a flow sees of being executed in a worker, and what one sees of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.executors import flows
from tests.executors.conftest import lives, until

from penstock import Runtime
from penstock.core.errors import DocumentError, InputError, RunFailed, SettingsError
from penstock.core.events import EventType
from penstock.executors.subprocess import Pool


async def test_a_run_is_executed_in_another_process_and_says_so(runtime: Runtime) -> None:
    run = await runtime.start(flows.doubled, number=21)
    result = await run.result()
    assert result["number"] == 42
    assert result["pid"] != os.getpid()
    row = await run.row()
    assert row.executor == "subprocess"
    events = [event async for event in run.events()]
    assert events[0].data["executor"] == "subprocess"
    assert [str(event.type) for event in events] == [
        "run.started",
        "node.started",
        "node.completed",
        "run.completed",
    ]


async def test_the_next_run_of_the_same_flow_finds_a_warm_worker(runtime: Runtime) -> None:
    first = await (await runtime.start(flows.doubled, number=1)).result()
    second = await (await runtime.start(flows.doubled, number=2)).result()
    assert first["pid"] == second["pid"]


@pytest.mark.parametrize("how", ["thread", "task"])
async def test_a_worker_in_which_something_goes_on_is_not_used_again(runtime: Runtime, how: str) -> None:
    first = await (await runtime.start(flows.leaving_work, how=how)).result()
    assert await (await runtime.start(flows.leaving_work, how="")).result() != first
    await until(lambda: not lives(first))


async def test_another_flow_gets_another_worker(runtime: Runtime) -> None:
    first = await (await runtime.start(flows.doubled, number=1)).result()
    await (await runtime.start(flows.environment)).result()
    pids = {worker.pid for worker in runtime.executors.named("subprocess").workers}
    assert first["pid"] in pids
    assert len(pids) == 2


async def test_a_worker_is_replaced_after_so_many_runs(opened) -> None:
    async with opened("memory:", most_runs=2) as runtime:
        pids = [(await (await runtime.start(flows.doubled, number=1)).result())["pid"] for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]


async def test_graphs_run_in_workers_too(runtime: Runtime) -> None:
    flow = runtime.loader.read(
        """
        flow: twice
        inputs: {numbers: {type: array}}
        settings: {executor: subprocess}
        nodes:
          - {kind: snippet, name: numbers, language: cel, code: self.numbers, links: {out: each}}
          - {kind: loop, name: each, links: {out: twice}}
          - {kind: snippet, name: twice, language: cel, code: self * 2}
        """,
        file="twice.yaml",
    )
    run = await runtime.launch(flow, {"numbers": [1, 2, 3]})
    assert await run.result() == [2, 4, 6]
    assert (await run.row()).executor == "subprocess"


async def test_what_a_flow_prints_is_told_in_its_run_whichever_way_it_prints(runtime: Runtime) -> None:
    run = await runtime.start(flows.printing)
    await run.result()
    told = [(str(event.type), event.data) async for event in run.events()]
    assert ("node.stdout", {"line": "from Python"}) in told
    assert ("node.stdout", {"line": "from C, \ufffd and no end of line"}) in told
    assert ("node.stderr", {"line": "on stderr"}) in told
    assert told[-1][0] == "run.completed"


async def test_endless_output_does_not_fill_the_journal(runtime: Runtime) -> None:
    run = await runtime.start(flows.chatty)
    assert await run.result() == "done"
    lines = [event.data["line"] async for event in run.events() if event.type == EventType.NODE_STDOUT]
    assert 900 < len(lines) < 1000
    assert "not kept" in lines[-1]


async def test_outputs_that_a_flow_closes_are_its_own_affair(runtime: Runtime) -> None:
    assert await (await runtime.start(flows.closing)).result() == "quiet"


async def test_a_failure_is_the_same_as_inline(runtime: Runtime) -> None:
    run = await runtime.start(flows.failing)
    with pytest.raises(RunFailed) as failed:
        await run.result()
    assert failed.value.error.code == "ValueError"
    assert failed.value.error.message == "ValueError: no such thing"
    assert failed.value.error.node == "fail#1"


async def test_a_worker_sees_no_secret_of_the_host(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter2")
    monkeypatch.setenv("PENSTOCK_KEY", "hunter2")
    names = await (await runtime.start(flows.environment)).result()
    assert "PATH" in names
    assert not {"DATABASE_PASSWORD", "PENSTOCK_KEY"} & set(names)


async def test_a_variable_that_is_named_reaches_the_worker(
    opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGION", "north")
    async with opened(environ=["REGION"]) as runtime:
        assert "REGION" in await (await runtime.start(flows.environment)).result()


async def test_an_ephemeral_run_leaves_its_result_with_its_handle(opened) -> None:
    async with opened("memory:") as runtime:
        flow = runtime.loader.read(
            """
            flow: quick
            settings: {executor: subprocess, record: none}
            nodes: [{kind: snippet, name: answer, language: python, code: "42"}]
            """,
            file="quick.yaml",
        )
        assert await (await runtime.launch(flow)).result() == 42


async def test_a_run_has_its_folder_in_a_worker_too(tmp_path: Path) -> None:
    pool = Pool(workers=1)
    files = tmp_path / "files"
    async with Runtime("memory:", files=files, executors={"subprocess": pool}) as runtime:
        run = await runtime.start(flows.filing)
        assert await run.result() == ["report.txt"]
        assert (files / run.fid / "out" / "report.txt").read_text() == "all is well"


async def test_wrong_inputs_are_refused_before_a_worker_is_asked(runtime: Runtime) -> None:
    with pytest.raises(InputError):
        await runtime.start(flows.doubled, number="many")
    assert runtime.executors.named("subprocess").workers == []


async def test_a_runtime_without_the_executor_refuses_the_launch() -> None:
    async with Runtime("memory:") as runtime:
        with pytest.raises(SettingsError, match="executor `subprocess`"):
            await runtime.start(flows.doubled, number=1)


def test_a_document_says_what_a_worker_may_use() -> None:
    flow = load_flow_text("{kind: subprocess, memory: 512MiB, timeout: 60s, retries: 1}")
    assert flow.settings.executor == "subprocess"
    assert flow.settings.worker.memory_bytes == 512 * 2**20
    assert flow.settings.worker.timeout is not None
    assert flow.settings.worker.timeout.total_seconds() == 60
    assert flow.settings.worker.retries == 1


@pytest.mark.parametrize(
    ("executor", "says"),
    [
        ("[subprocess]", "expected the name of an executor"),
        ("{memory: 1GiB}", "`kind` is missing"),
        ("{kind: subprocess, memory: lots}", "expected a size"),
        ("{kind: subprocess, retries: -1}", "retries"),
        ("{kind: subprocess, cpu: 3}", "unknown field `cpu`"),
        ("{kind: inline, memory: 1GiB}", "no worker to limit"),
        ("no name!", "is not a name"),
    ],
)
def test_a_wrong_executor_is_one_clear_error(executor: str, says: str) -> None:
    with pytest.raises(DocumentError, match=says):
        load_flow_text(executor)


def load_flow_text(executor: str):
    from penstock.engine.loading import Loader
    from penstock.kinds import standard_scheme

    text = f"flow: one\nsettings:\n  executor: {executor}\nnodes: [{{kind: nop, name: a}}]\n"
    return Loader(standard_scheme()).read(text, file="one.yaml")
