"""The control kinds go on from every prefix of their journal to the same end.

A prefix of the stream is what a process that was killed leaves on disk, so each test here
has seen every crash that its flow can suffer.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from tests.properties.execution import check_stream, passing_time, whole_stream

from penstock import (
    Action,
    EventType,
    Inputs,
    NodeContext,
    NodeError,
    Outputs,
    Runtime,
    Scheme,
    load_flow,
)
from penstock.core.record import RunRecord
from penstock.kinds import standard_scheme
from penstock.store.memory import MemoryStore
from penstock.testing.clock import FakeClock
from penstock.testing.prefixes import plant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from penstock import Event


class World:
    """What the effects did. executed: how often each ran. keys: those it was given."""

    def __init__(self) -> None:
        self.executed: Counter[str] = Counter()
        self.keys: dict[str, set[str]] = {}

    def scheme(self) -> Scheme:
        """The built-in kinds, and `t.effect`, which writes down here that it ran."""
        world = self

        class Effect(Action, kind="t.effect"):
            """fails_in: a failing firing has one of these in its path."""

            fails_in: tuple[str, ...] = ()

            async def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
                world.executed[ctx.node] += 1
                world.keys.setdefault(ctx.node, set()).add(ctx.idempotency_key)
                if any(part in ctx.node for part in self.fails_in):
                    raise NodeError(f"{ctx.node} fails", code="asked")
                return {"out": inputs["in"]}

        scheme = standard_scheme()
        scheme.add(Effect)
        return scheme


LOOP = """
flow: loop
nodes:
  - kind: loop
    name: each
    items: [1, 2, 3, 4]
    concurrency: CONCURRENCY
    links: {out: effect, done: last}
  - {kind: t.effect, name: effect, links: {out: nap}}
  - {kind: delay, name: nap, duration: 2s, links: {out: twice}}
  - {kind: snippet, name: twice, language: cel, code: self * 2}
  - {kind: t.effect, name: last}
"""

FAILING_LOOP = """
flow: loop
nodes:
  - kind: loop
    name: each
    items: [1, 2, 3]
    concurrency: CONCURRENCY
    on_item_error: MODE
    links: {out: effect, done: last, error: caught}
  - {kind: t.effect, name: effect, fails_in: ["each[1]/"]}
  - {kind: t.effect, name: last, links: {out: count}}
  - {kind: snippet, name: count, language: python, code: "[getattr(one, 'code', one) for one in input]"}
  - {kind: snippet, name: caught, language: cel, code: "[self.code, self.node]"}
"""

NESTED = """
flow: nested
nodes:
  - {kind: loop, name: rows, items: 2, concurrency: 2, links: {out: cells, done: last}}
  - {kind: loop, name: cells, items: 2, links: {out: effect, done: row}}
  - {kind: t.effect, name: effect}
  - {kind: t.effect, name: row}
  - {kind: t.effect, name: last}
"""

RETRY = """
flow: retry
nodes:
  - kind: retry
    name: again
    attempts: ATTEMPTS
    delay: 10s
    jitter: 0.5
    links: {out: first, done: last, error: sorry}
  - {kind: t.effect, name: first, links: {out: flaky}}
  - {kind: t.effect, name: flaky, fails_in: ["again[1]", "again[2]"], links: {out: done}}
  - {kind: snippet, name: done, language: text, code: done}
  - {kind: t.effect, name: last}
  - {kind: snippet, name: sorry, language: cel, code: "[self.code, self.node]"}
"""

TRY = """
flow: try
nodes:
  - {kind: try, name: try, links: {out: first, done: last, error: sorry}}
  - {kind: t.effect, name: first, links: {out: [beside, risky]}}
  - {kind: t.effect, name: beside}
  - {kind: t.effect, name: risky, fails_in: FAILS}
  - {kind: t.effect, name: last, links: {out: said}}
  - {kind: snippet, name: said, language: text, code: fine}
  - {kind: t.effect, name: sorry, links: {out: why}}
  - {kind: snippet, name: why, language: cel, code: "[self.code, self.node]"}
"""

SPLIT = """
flow: split
nodes:
  - {kind: snippet, name: given, language: json, code: '{"a": 1, "b": 2, "c": 3}', links: {out: split}}
  - {kind: split, name: split, concurrency: 2, links: {"out[1]": second, out: other, done: last}}
  - {kind: t.effect, name: second, links: {out: nap}}
  - {kind: delay, name: nap, duration: 3s, links: {out: minus}}
  - {kind: snippet, name: minus, language: cel, code: "-self"}
  - {kind: t.effect, name: other}
  - {kind: t.effect, name: last}
"""

FORK = """
flow: fork
nodes:
  - {kind: snippet, name: given, language: json, code: '5', links: {out: fork}}
  - {kind: fork, name: fork, links: {"out[0]": nap, "out[1]": effect, "out[2]": slow, done: last}}
  - {kind: delay, name: nap, duration: 2s, links: {out: after}}
  - {kind: t.effect, name: after}
  - {kind: t.effect, name: effect}
  - {kind: t.effect, name: slow, links: {out: doze}}
  - {kind: delay, name: doze, duration: 5s}
  - {kind: t.effect, name: last}
"""

PIPE = """
flow: pipe
nodes:
  - {kind: snippet, name: given, language: json, code: '5', links: {out: pipe}}
  - {kind: pipe, name: pipe, links: {"out[0]": first, "out[1]": second, done: last}}
  - {kind: t.effect, name: first, links: {out: more}}
  - {kind: snippet, name: more, language: cel, code: self + 1}
  - {kind: t.effect, name: second, links: {out: nap}}
  - {kind: delay, name: nap, duration: 2s}
  - {kind: t.effect, name: last}
"""

CALL = """
flow: outer
nodes:
  - {kind: t.effect, name: first, links: {out: given}}
  - {kind: snippet, name: given, language: json, code: '{"n": 2}', links: {out: call}}
  - {kind: call, name: call, flow: inner.yaml, links: {out: last}}
  - {kind: t.effect, name: last}
"""

INNER = """
flow: inner
inputs: {n: {type: integer}}
outputs: {found: each.done}
nodes:
  - {kind: snippet, name: count, language: cel, code: self.n, links: {out: each}}
  - {kind: loop, name: each, concurrency: 2, links: {out: effect}}
  - {kind: t.effect, name: effect, links: {out: nap}}
  - {kind: delay, name: nap, duration: 2s}
"""

ALL_KINDS: dict[str, tuple[str, Any]] = {
    "loop, in turn": (LOOP.replace("CONCURRENCY", "1"), [2, 4, 6, 8]),
    "loop, together": (LOOP.replace("CONCURRENCY", "3"), [2, 4, 6, 8]),
    "loop of loops": (NESTED, [[0, 1], [0, 1]]),
    "retry": (RETRY.replace("ATTEMPTS", "3"), "done"),
    "retry in vain": (RETRY.replace("ATTEMPTS", "2"), ["asked", "again[2]/flaky"]),
    "try": (TRY.replace("FAILS", "[never]"), "fine"),
    "try in vain": (TRY.replace("FAILS", "[risky]"), ["asked", "try[0]/risky"]),
    "split": (SPLIT, {"a": 1, "b": -2, "c": 3}),
    "fork": (FORK, [5, 5, 5]),
    "pipe": (PIPE, 6),
    "call": (CALL, {"found": [0, 1]}),
} | {
    f"loop, {mode} {'in turn' if concurrency == 1 else 'together'}": (
        FAILING_LOOP.replace("MODE", mode).replace("CONCURRENCY", str(concurrency)),
        result,
    )
    for concurrency in (1, 3)
    for mode, result in (
        ("fail", ["asked", "each[1]/effect"]),
        ("collect", [1, "asked", 3]),
        ("skip", [1, 3]),
    )
}


def load(folder: Path, document: str, scheme: Scheme) -> Any:
    (folder / "inner.yaml").write_text(INNER)
    (folder / "flow.yaml").write_text(textwrap.dedent(document))
    return load_flow(str(folder / "flow.yaml"), scheme=scheme)


def recorded(document: str, record: str) -> str:
    return document.replace("nodes:", f"settings: {{record: {record}}}\nnodes:", 1)


@pytest.mark.parametrize("record", ["full", "effects"])
@pytest.mark.parametrize("name", ALL_KINDS)
async def test_a_run_goes_on_from_every_prefix_of_its_journal(
    tmp_path: Path, name: str, record: str
) -> None:
    document, result = ALL_KINDS[name]
    scheme, clock = World().scheme(), FakeClock()
    flow = load(tmp_path, recorded(document, record), scheme)
    async with passing_time(clock), Runtime(MemoryStore(), scheme=scheme, clock=clock) as runtime:
        events = await whole_stream(await runtime.start(flow))
    assert check_stream(events).result == result
    for length in range(1, len(events)):
        prefix = events[:length]
        world = World()
        record_of_it = await go_on(prefix, flow, world)
        assert record_of_it.result == result, f"after event {length}"
        check_effects(prefix, world)


async def go_on(prefix: Sequence[Event], flow: Any, world: World) -> RunRecord:
    """The record of the run that died after these events, once it has ended."""
    store, clock, scheme = MemoryStore(), FakeClock(), world.scheme()
    fid = await plant(store, prefix, flow)
    async with passing_time(clock), Runtime(store, scheme=scheme, clock=clock) as runtime:
        run = await runtime.resume(fid)
        return check_stream(await whole_stream(run))


def check_effects(prefix: Sequence[Event], world: World) -> None:
    """No recorded effect ran again, no other more than once, and all under one key."""
    ends = (EventType.NODE_COMPLETED, EventType.NODE_FAILED)
    done = {event.node for event in prefix if event.type in ends}
    assert not done & world.executed.keys(), f"ran again after event {len(prefix)}"
    assert set(world.executed.values()) <= {1}
    assert {name for name, keys in world.keys.items() if len(keys) > 1} == set()


async def test_a_delay_waits_for_what_is_left_of_it(tmp_path: Path) -> None:
    scheme = World().scheme()
    flow = load(tmp_path, "flow: nap\nnodes: [{kind: delay, name: nap, duration: 3d}]", scheme)
    clock = FakeClock()
    async with Runtime(MemoryStore(), scheme=scheme, clock=clock) as runtime:
        run = await runtime.start(flow)
        events = []
        async for event in run.events():
            events.append(event)
            if event.type == EventType.NODE_WAITING:
                break
    later = FakeClock(now=clock.now() + 2 * 86400)
    store = MemoryStore()
    fid = await plant(store, events, flow)
    async with Runtime(store, scheme=scheme, clock=later) as runtime:
        run = await runtime.resume(fid)
        await later.scheduled()
        assert later.pending[-1] == pytest.approx(86400)
        later.advance(86400)
        await run.result()


@pytest.mark.parametrize(
    ("name", "type_", "said"),
    [
        ("retry", EventType.NODE_MESSAGE, ["attempt 1 of 3", "attempt 2 of 3"]),
        ("loop, in turn", EventType.NODE_PROGRESS, [0.25, 0.5, 0.75, 1.0]),
    ],
)
async def test_what_a_node_says_is_said_once_however_often_its_run_is_put_aside(
    tmp_path: Path, name: str, type_: str, said: list[Any]
) -> None:
    scheme, clock = World().scheme(), FakeClock()
    flow = load(tmp_path, ALL_KINDS[name][0].replace(" 2s", " 90s").replace(" 10s", " 90s"), scheme)
    async with (
        passing_time(clock),
        Runtime(MemoryStore(), scheme=scheme, clock=clock, evict_after=0) as runtime,
    ):
        events = await whole_stream(await runtime.start(flow))
    assert EventType.RUN_RESUMED in {event.type for event in events}
    notes = [event.data for event in events if event.type == type_]
    assert [note.get("fraction") or note["message"][:14] for note in notes] == said
