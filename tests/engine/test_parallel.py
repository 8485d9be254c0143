"""How many nodes run at a time, and what a thread may do."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from typing import Any

import pytest
from tests.engine.flows import graph
from tests.engine.watching import result_of, until

from penstock import Control, ControlContext, Inputs, Outputs, Port, Runtime, node


class Gauge:
    """A kind that knows how many of it run at a time."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0
        self.gate = asyncio.Event()

        @node("hold")
        async def hold(value: Any = None) -> int:
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                await self.gate.wait()
            finally:
                self.now -= 1
            return 1

        self.kind = hold


def wide(width: int, settings: str = "{}") -> str:
    nodes = "\n".join(f"  - {{kind: hold, name: n{n}}}" for n in range(width))
    return f"flow: f\nsettings: {settings}\nnodes:\n{nodes}\n"


async def settle() -> None:
    for _ in range(200):
        await asyncio.sleep(0)


async def test_ready_nodes_run_together(runtime: Runtime) -> None:
    gauge = Gauge()
    run = await runtime.start(graph(wide(20), gauge.kind))
    await until(lambda: gauge.now == 20)
    gauge.gate.set()
    assert await result_of(run) == [1] * 20


@pytest.mark.parametrize("limit", [1, 2, 7])
async def test_max_parallel_is_never_exceeded_and_always_used(runtime: Runtime, limit: int) -> None:
    gauge = Gauge()
    run = await runtime.start(graph(wide(20, f"{{max_parallel: {limit}}}"), gauge.kind))
    await until(lambda: gauge.now == limit)
    await settle()
    assert gauge.now == limit
    gauge.gate.set()
    assert await result_of(run) == [1] * 20
    assert gauge.most == limit


async def test_the_limit_holds_for_children_too_and_cannot_lock_up(runtime: Runtime) -> None:
    gauge = Gauge()

    class Fan(Control, kind="fan"):
        in_ports = {"in": Port(default=None)}
        out_ports = {"out": Port(call=True)}

        async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
            async with asyncio.TaskGroup() as group:
                for number in range(10):
                    group.create_task(ctx.call("out", number, key=number), name=f"{number}")
            return None

    text = """
    flow: f
    settings: {max_parallel: 2}
    nodes:
      - {kind: fan, name: a, links: {out: b}}
      - {kind: fan, name: b, links: {out: c}}
      - {kind: hold, name: c}
    """
    run = await runtime.start(graph(text, Fan, gauge.kind))
    await until(lambda: gauge.now == 2)
    gauge.gate.set()
    await result_of(run)
    assert gauge.most == 2


async def test_cancelling_a_run_whose_nodes_wait_for_a_slot(runtime: Runtime) -> None:
    gauge = Gauge()
    run = await runtime.start(graph(wide(20, "{max_parallel: 1}"), gauge.kind))
    await until(lambda: gauge.now == 1)
    async with asyncio.timeout(1):
        await run.cancel()
    assert (gauge.now, gauge.most) == (0, 1)


async def test_runs_do_not_share_slots(runtime: Runtime) -> None:
    gauge = Gauge()
    flow = graph(wide(3, "{max_parallel: 1}"), gauge.kind)
    runs = [await runtime.start(flow) for _ in range(5)]
    await until(lambda: gauge.now == 5)
    gauge.gate.set()
    assert [await result_of(run) for run in runs] == [[1, 1, 1]] * 5


async def test_a_blocking_node_gets_a_thread_and_does_not_hold_up_the_loop(runtime: Runtime) -> None:
    go = threading.Event()
    threads: list[str] = []

    @node("block")
    def block() -> str:
        threads.append(threading.current_thread().name)
        return "let go" if go.wait(5) else "never"

    run = await runtime.start(graph("{flow: f, nodes: [{kind: block, name: a}]}", block))
    await until(lambda: threads)
    began = time.perf_counter()
    await asyncio.sleep(0)
    assert time.perf_counter() - began < 1
    go.set()
    assert await result_of(run) == "let go"
    assert threads[0].startswith("penstock")


async def test_a_pure_or_a_non_blocking_node_runs_in_the_loop(runtime: Runtime) -> None:
    threads: list[threading.Thread] = []

    @node("pure", pure=True)
    def pure(value: Any = None) -> Any:
        threads.append(threading.current_thread())
        return value

    @node("quick", blocking=False)
    def quick(value: Any = None) -> Any:
        threads.append(threading.current_thread())
        return value

    text = "{flow: f, nodes: [{kind: pure, name: a, links: {out: b}}, {kind: quick, name: b}]}"
    await result_of(await runtime.start(graph(text, pure, quick)))
    assert set(threads) == {threading.main_thread()}


async def test_blocking_nodes_run_beside_each_other(runtime: Runtime) -> None:
    barrier = threading.Barrier(4, timeout=5)

    @node("meet")
    def meet() -> int:
        return barrier.wait() * 0 + 1

    nodes = ", ".join(f"{{kind: meet, name: n{n}}}" for n in range(4))
    run = await runtime.start(graph(f"{{flow: f, nodes: [{nodes}]}}", meet))
    assert await result_of(run) == [1, 1, 1, 1]


async def test_a_thread_sees_the_context_variables_of_its_run(runtime: Runtime) -> None:
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="nobody")

    @node("who")
    def who() -> str:
        return name.get()

    name.set("launcher")
    run = await runtime.start(graph("{flow: f, nodes: [{kind: who, name: a}]}", who))
    assert await result_of(run) == "launcher"


async def test_a_stop_iteration_in_a_thread_is_a_failure_and_not_a_hang(runtime: Runtime) -> None:
    @node("stops")
    def stops() -> None:
        raise StopIteration

    run = await runtime.start(graph("{flow: f, nodes: [{kind: stops, name: a}]}", stops))
    with pytest.raises(Exception, match="StopIteration"):
        await result_of(run)
