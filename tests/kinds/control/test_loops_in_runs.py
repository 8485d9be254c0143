"""Loops run by the engine: many items, none, in lock-step with a clock, and cut short."""

from __future__ import annotations

import asyncio
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from tests.properties.execution import check_stream, passing_time, whole_stream

from penstock import Action, EventType, Inputs, NodeContext, Outputs, Runtime, Scheme, load_flow
from penstock.core.errors import RunCancelled, RunFailed
from penstock.kinds import standard_scheme
from penstock.store.memory import MemoryStore
from penstock.testing.clock import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_SECONDS = 10.0


class Crowd:
    """How many items are in `t.crowd` at once: it lets the loop turn a few times, then goes on."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0
        self.stuck = asyncio.Event()

    def scheme(self) -> Scheme:
        crowd = self

        class Member(Action, kind="t.crowd"):
            """for_ever: it never goes on by itself."""

            for_ever: bool = False

            async def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
                crowd.now += 1
                crowd.most = max(crowd.most, crowd.now)
                try:
                    if self.for_ever and crowd.now == 3:
                        crowd.stuck.set()
                    if self.for_ever:
                        await asyncio.Event().wait()
                    for _ in range(5 + inputs["in"] % 7):
                        await asyncio.sleep(0)
                finally:
                    crowd.now -= 1
                return {"out": inputs["in"]}

        scheme = standard_scheme()
        scheme.add(Member)
        return scheme


def load(folder: Path, document: str, scheme: Scheme | None = None) -> Any:
    path = folder / "flow.yaml"
    path.write_text(textwrap.dedent(document))
    return load_flow(str(path), scheme=scheme)


@pytest.mark.parametrize("record", ["full", "effects", "none"])
async def test_a_thousand_items_run_eight_at_a_time_and_answer_in_order(
    tmp_path: Path, record: str
) -> None:
    crowd = Crowd()
    scheme = crowd.scheme()
    document = f"""
        flow: many
        settings: {{record: {record}}}
        nodes:
          - {{kind: loop, name: each, items: 1000, concurrency: 8, links: {{out: work}}}}
          - {{kind: t.crowd, name: work, links: {{out: twice}}}}
          - {{kind: snippet, name: twice, language: cel, code: self * 2}}
    """
    flow = load(tmp_path, document, scheme)
    async with asyncio.timeout(PATIENCE_SECONDS), Runtime(MemoryStore(), scheme=scheme) as runtime:
        run = await runtime.start(flow)
        assert await run.result() == [number * 2 for number in range(1000)]
    assert crowd.most == 8


@pytest.mark.parametrize("items", ["[]", "{}", "0"])
async def test_a_loop_over_nothing_sends_an_empty_list(tmp_path: Path, items: str) -> None:
    document = f"""
        flow: none
        nodes:
          - {{kind: loop, name: each, items: {items}, links: {{out: never, done: size}}}}
          - {{kind: throw, name: never}}
          - {{kind: snippet, name: size, language: cel, code: size(self)}}
    """
    async with Runtime(MemoryStore()) as runtime:
        assert await (await runtime.start(load(tmp_path, document))).result() == 0


async def test_items_that_wait_do_so_in_lock_step_with_the_clock(tmp_path: Path) -> None:
    """Ten items of ten seconds, four at a time: three rounds, and not a second more."""
    document = """
        flow: naps
        nodes:
          - {kind: loop, name: each, items: 10, concurrency: 4, links: {out: nap}}
          - {kind: delay, name: nap, duration: 10s}
    """
    clock = FakeClock()
    began = clock.now()
    async with passing_time(clock), Runtime(MemoryStore(), clock=clock) as runtime:
        run = await runtime.start(load(tmp_path, document))
        events = await whole_stream(run)
    assert check_stream(events).result == list(range(10))
    rounds = [event.time - began for event in events if event.type == EventType.NODE_WAITING]
    assert rounds == [0] * 4 + [10] * 4 + [20] * 2
    assert events[-1].time - began == 30


async def test_cancelling_a_run_in_the_middle_of_a_loop_ends_every_item(tmp_path: Path) -> None:
    crowd = Crowd()
    scheme = crowd.scheme()
    document = """
        flow: stuck
        nodes:
          - {kind: loop, name: rows, items: 2, concurrency: 1, links: {out: each}}
          - {kind: snippet, name: each, language: json, code: '[1, 2, 3, 4]', links: {out: cells}}
          - {kind: loop, name: cells, concurrency: 3, links: {out: work}}
          - {kind: t.crowd, name: work, for_ever: true}
    """
    async with asyncio.timeout(PATIENCE_SECONDS), Runtime(MemoryStore(), scheme=scheme) as runtime:
        run = await runtime.start(load(tmp_path, document, scheme))
        await crowd.stuck.wait()
        await run.cancel("enough")
        with pytest.raises(RunCancelled, match="enough"):
            await run.result()
        events = await whole_stream(run)
    assert (crowd.now, crowd.most) == (0, 3)
    check_stream(events)
    assert not any(event.node.startswith("rows[1]") for event in events)


async def test_a_failing_item_cancels_what_runs_beside_it_at_once(tmp_path: Path) -> None:
    document = """
        flow: cut
        nodes:
          - {kind: loop, name: each, items: [1, 2, 3], links: {out: ask}}
          - {kind: if, name: ask, when: self == 2, links: {"true": bad, "false": nap}}
          - {kind: delay, name: nap, duration: 1d}
          - {kind: throw, name: bad, message: not two}
    """
    async with asyncio.timeout(PATIENCE_SECONDS), Runtime(MemoryStore(), clock=FakeClock()) as runtime:
        run = await runtime.start(load(tmp_path, document))
        with pytest.raises(RunFailed, match="not two") as caught:
            await run.result()
    assert caught.value.error.node == "each[1]/bad"


async def test_a_loop_in_a_called_flow_of_a_loop_keeps_every_order(tmp_path: Path) -> None:
    (tmp_path / "row.yaml").write_text("""
flow: row
inputs: {key: {type: string}, value: {type: integer}}
outputs: {cells: each.done}
nodes:
  - {kind: snippet, name: count, language: cel, code: self.value, links: {out: each}}
  - {kind: loop, name: each, links: {body: cell}}
  - {kind: snippet, name: cell, language: cel, code: self * self}
""")
    document = """
        flow: table
        nodes:
          - {kind: loop, name: rows, items: {a: 2, b: 0, c: 4}, concurrency: 2, links: {out: call}}
          - {kind: call, name: call, flow: row.yaml}
    """
    async with Runtime(MemoryStore()) as runtime:
        result = await (await runtime.start(load(tmp_path, document))).result()
    assert result == [{"cells": [0, 1]}, {"cells": []}, {"cells": [0, 1, 4, 9]}]


async def test_all_names_of_a_port_are_the_same_port(tmp_path: Path) -> None:
    document = """
        flow: names
        outputs: {all: "each.out[1]", also: each.done, way: "ask.out[0]"}
        nodes:
          - {kind: loop, name: each, items: 2, links: {out: a, body: b, "out[0]": c, "out[1]": ask}}
          - {kind: snippet, name: a, language: cel, code: self}
          - {kind: snippet, name: b, language: cel, code: self + 10}
          - {kind: snippet, name: c, language: cel, code: self + 20}
          - {kind: if, name: ask}
    """
    found = [[0, 10, 20], [1, 11, 21]]
    async with Runtime(MemoryStore()) as runtime:
        result = await (await runtime.start(load(tmp_path, document))).result()
    assert result == {"all": found, "also": found, "way": found}
