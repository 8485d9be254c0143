"""Runs that die, grow, hang or lie in their worker: each is alone in it."""

from __future__ import annotations

import asyncio
import random
import signal
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.executors import flows
from tests.executors.conftest import lives, text_of, trace_of, until

from penstock import Runtime
from penstock.core.errors import RunCancelled, RunFailed, RunTimeout
from penstock.core.events import EventType
from penstock.core.payload import Error
from penstock.engine.run import Run


async def failure_of(run: Run) -> Error:
    with pytest.raises(RunFailed) as failed:
        await run.result()
    error: Error = failed.value.error
    return error


@asynccontextmanager
async def measured_lag():
    """The longest time that the loop was not its own, in seconds, while something went on."""
    longest = [0.0]

    async def measure() -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.sleep(0.005)
            longest[0] = max(longest[0], loop.time() - began - 0.005)

    task = asyncio.create_task(measure())
    try:
        yield longest
    finally:
        task.cancel()


async def test_a_worker_killed_in_a_step_fails_its_run_and_keeps_what_was_done(
    runtime: Runtime, tmp_path: Path
) -> None:
    run = await runtime.start(flows.killed, trace=trace_of(tmp_path))
    error = await failure_of(run)
    assert error.code == "worker.killed"
    assert error.node == "die_by#2"
    assert "SIGKILL" in error.message
    assert "retries" in error.remedy
    types = [str(event.type) async for event in run.events()]
    assert types.count("node.completed") == 1
    assert types[-1] == "run.failed"


async def test_a_segmentation_fault_leaves_its_traceback_in_the_run(runtime: Runtime) -> None:
    run = await runtime.start(flows.crashing)
    error = await failure_of(run)
    assert error.code == "worker.killed"
    assert "SIGSEGV" in error.message
    told = [event.data["line"] async for event in run.events() if event.type == EventType.NODE_STDERR]
    assert any("Segmentation fault" in line for line in told)


async def test_a_run_with_retries_goes_on_in_another_worker(runtime: Runtime, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    run = await runtime.start(flows.killed_once, trace=str(trace))
    assert await run.result() == "survived"
    lines = text_of(trace).splitlines()
    assert lines.count("first") == 1
    assert lines[1] == lines[2]  # the same idempotency key, twice
    lost = [event async for event in run.events() if "lost" in event.data]
    assert [event.data["lost"] for event in lost] == [1]
    assert lost[0].data["error"].message.endswith("exit code 7: I had better leave")


async def test_retries_come_to_an_end(runtime: Runtime) -> None:
    run = await runtime.start(flows.killed_always)
    assert (await failure_of(run)).code == "worker.killed"
    assert [event.data["lost"] async for event in run.events() if "lost" in event.data] == [1, 2]


async def test_a_failed_run_is_retried_from_what_was_done(runtime: Runtime, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    first = await runtime.start(flows.killed, trace=str(trace))
    await failure_of(first)
    again = await runtime.retry(first.fid)
    await failure_of(again)
    assert text_of(trace).splitlines() == ["first"]


@pytest.mark.parametrize("at_once", [False, True], ids=["by and by", "at once"])
async def test_a_run_that_wants_too_much_memory_fails_alone(
    runtime: Runtime, tmp_path: Path, at_once: bool
) -> None:
    other = await runtime.start(flows.held, folder=str(tmp_path))
    error = await failure_of(await runtime.start(flows.greedy, at_once=at_once))
    assert error.code == "worker.memory"
    assert "256 MiB" in error.message
    (tmp_path / "go").touch()
    assert await other.result() == "gone"


@pytest.mark.parametrize("flow", [flows.endless, flows.endless_in_c], ids=["in Python", "in C"])
async def test_a_run_that_never_returns_is_ended_and_the_host_does_not_notice(
    runtime: Runtime, flow
) -> None:
    await (await runtime.start(flows.doubled, number=1)).result()
    async with measured_lag() as longest:
        run = await runtime.start(flow)
        others = [await runtime.start(flows.doubled, number=number) for number in range(10)]
        assert [(await other.result())["number"] for other in others] == [2 * n for n in range(10)]
        error = await failure_of(run)
    assert error.code == "worker.timeout"
    assert "300ms" in error.message
    assert longest[0] < 1.0  # of a machine that is busy with other tests


@pytest.mark.slow
async def test_a_flow_timeout_ends_what_hears_nothing(opened, tmp_path: Path) -> None:
    async with opened(grace=0.1) as runtime:
        await _time_out(runtime, tmp_path)


async def _time_out(runtime: Runtime, tmp_path: Path) -> None:
    flow = runtime.loader.read(
        """
        flow: stuck
        settings: {timeout: 2s, executor: subprocess}
        nodes: [{kind: call, name: hang, flow: "tests.executors.flows:stubborn"}]
        inputs: {trace: {type: string}}
        """,
        file="stuck.yaml",
    )
    run = await runtime.launch(flow, {"trace": trace_of(tmp_path)})
    with pytest.raises(RunTimeout):
        await run.result()
    await until(lambda: not lives(int(text_of(tmp_path / "trace"))))


async def test_a_cancelled_run_cleans_up_in_its_worker(runtime: Runtime, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    run = await runtime.start(flows.patient, trace=str(trace))
    await until(lambda: text_of(trace))
    await run.cancel("enough")
    with pytest.raises(RunCancelled, match="enough"):
        await run.result()
    assert text_of(trace).splitlines() == ["begun", "cleaned up"]


async def test_a_cancelled_run_that_hears_nothing_is_killed(opened, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    async with opened(grace=0.1) as runtime:
        run = await runtime.start(flows.stubborn, trace=str(trace))
        await until(lambda: text_of(trace))
        await run.cancel()
        with pytest.raises(RunCancelled):
            await run.result()
        assert not lives(int(text_of(trace)))


async def test_what_a_killed_worker_had_started_is_ended_with_it(opened, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    async with opened() as runtime:
        run = await runtime.start(flows.with_program, trace=str(trace))
        await until(lambda: text_of(trace))
        runtime.executors.named("subprocess").workers[0].kill()
        await failure_of(run)
        await until(lambda: not lives(int(text_of(trace))))


@pytest.mark.slow
async def test_runs_come_through_however_often_their_workers_are_killed(opened, tmp_path: Path) -> None:
    trace, chance, kills = tmp_path / "trace", random.Random(7), 0
    async with opened(workers=3) as runtime:
        runs = [await runtime.start(flows.enduring, trace=str(trace), steps=8) for _ in range(9)]
        results = asyncio.gather(*(run.result() for run in runs))
        while not results.done() and kills < 25:
            await asyncio.sleep(chance.uniform(0.02, 0.2))
            busy = [worker for worker in runtime.executors.named("subprocess").workers if worker.runs]
            if busy:
                chance.choice(busy).kill()
                kills += 1
        for run, result in zip(runs, await results, strict=True):
            assert result == [f"{run.fid}:{number}" for number in range(8)]
            done = [event.node async for event in run.events() if event.type == EventType.NODE_COMPLETED]
            assert done == [f"note_slowly#{number}" for number in range(1, 9)]
    lines = text_of(trace).splitlines()
    assert len(set(lines)) == 9 * 8
    assert len(lines) <= 9 * 8 + kills  # what was at work when its worker died, and nothing else


async def test_a_worker_that_says_nonsense_is_ended(runtime: Runtime) -> None:
    error = await failure_of(await runtime.start(flows.forging))
    assert error.code == "worker.garbled"


async def test_the_signal_that_ended_a_worker_is_named(runtime: Runtime, tmp_path: Path) -> None:
    run = await runtime.start(flows.killed, trace=trace_of(tmp_path), number=int(signal.SIGABRT))
    assert "SIGABRT" in (await failure_of(run)).message
