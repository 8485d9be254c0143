"""A run tells the same story wherever it is executed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from penstock import Runtime
from penstock.core.errors import RunFailed
from penstock.engine.run import Run

EXAMPLES = Path(__file__).parents[2] / "examples"
_OF_THE_MOMENT = ("duration_ms", "until", "executor", "revision", "trace")


async def story_of(run: Run) -> list[tuple[str, str, str]]:
    """What its stream says, but for what differs from run to run."""
    told = []
    async for event in run.events():
        data = {name: value for name, value in event.data.items() if name not in _OF_THE_MOMENT}
        told.append((str(event.type), event.node, repr(data)))
    return told


async def outcome_of(run: Run) -> Any:
    try:
        return await run.result()
    except RunFailed as failure:
        return failure.error.to_mapping()


@pytest.mark.parametrize("name", ["hello", "branches", "loop", "errors", "call", "parallel"])
async def test_examples_do_the_same_in_a_worker(runtime: Runtime, name: str) -> None:
    inline = runtime.loader.load(EXAMPLES / f"{name}.yaml")
    document = inline.document()
    elsewhere = runtime.loader.restore(
        {**document, "settings": {**document["settings"], "executor": "subprocess"}}
    )
    here, there = [await runtime.launch(flow) for flow in (inline, elsewhere)]
    assert await outcome_of(there) == await outcome_of(here)
    assert sorted(await story_of(there)) == sorted(await story_of(here))


async def test_a_secret_reaches_the_worker_and_nobody_else(opened) -> None:
    flow_text = """
        flow: secretive
        settings: {executor: subprocess}
        env: {TOKEN: {name: token, data: "{{ value }}"}}
        nodes:
          - {kind: snippet, name: say, language: python, code: "'the token is {{ TOKEN }}'"}
    """
    async with opened() as runtime:
        runtime.loader.values["token"] = "s3cr3t-t0ken"
        runtime.loader.values["other"] = "an0ther-secret"
        flow = runtime.loader.read(flow_text, file="secretive.yaml")
        assert await runtime.revisions.values(flow) == {"token": "s3cr3t-t0ken"}
        run = await runtime.launch(flow)
        assert await run.result() == "the token is •••"
        assert "s3cr3t" not in repr(await story_of(run))


async def test_what_a_run_calls_stays_in_its_worker(runtime: Runtime) -> None:
    flow = runtime.loader.read(
        """
        flow: outer
        inputs: {number: {type: integer}}
        settings: {executor: subprocess}
        nodes: [{kind: call, name: inner, flow: "tests.executors.flows:doubled"}]
        """,
        file="outer.yaml",
    )
    run = await runtime.launch(flow, {"number": 4})
    result = await run.result()
    assert result["number"] == 8
    assert result["pid"] in {worker.pid for worker in runtime.executors.named("subprocess").workers}
    types = [kind for kind, _, _ in await story_of(run)]
    assert types.count("child.completed") == 1


async def test_a_flow_that_begins_anew_does_so_in_a_worker(runtime: Runtime, tmp_path: Path) -> None:
    count = tmp_path / "count"
    flow = runtime.loader.read(
        f"""
        flow: stubborn
        settings: {{executor: subprocess, on_error: {{strategy: retry, max_retries: 2}}}}
        nodes:
          - {{kind: shell.exec, name: try, command: "echo x >> {count}; test $(wc -l < {count}) = 3"}}
        """,
        file="stubborn.yaml",
    )
    run = await runtime.launch(flow)
    await run.result()
    assert count.read_text().split() == ["x", "x", "x"]


async def test_settings_of_a_flow_survive_its_document(runtime: Runtime) -> None:
    flow = runtime.loader.read(
        """
        flow: one
        settings: {executor: {kind: subprocess, memory: 1GiB, timeout: 90s}}
        nodes: [{kind: nop, name: a}]
        """,
        file="one.yaml",
    )
    again = runtime.loader.restore(flow.document())
    assert again.settings == flow.settings
    assert again.revision == flow.revision
