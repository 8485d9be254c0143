"""Random Python flows: programs of steps, sleeps, gathers, calls and guards, as data.

One flow, `machine`, runs any of them; `meaning` says without an engine what must come out.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from penstock import Context, Duration, NodeError, Retry
from penstock.engine.pyflow import PythonFlow, flow
from penstock.engine.step import step

CAUGHT = "caught"

Program = list[Any]
"""Operations: ["step", number, fails, flaky, turns], ["sleep", seconds], ["gather", programs],
["call", program] or ["guard", program]."""


def programs(*, most_operations: int = 12) -> st.SearchStrategy[Program]:
    """Programs whose steps are numbered in the order in which they are written."""
    fails = st.sampled_from([False] * 5 + [True])
    flaky = st.sampled_from([0, 0, 1])
    act = st.tuples(st.just("step"), st.just(0), fails, flaky, st.integers(0, 3))
    leaf = (act | st.tuples(st.just("sleep"), st.sampled_from([0, 0.2, 2, 100]))).map(list)
    program = st.recursive(
        st.lists(leaf, min_size=1, max_size=3),
        lambda inner: st.lists(
            st.one_of(
                leaf,
                st.lists(inner, min_size=1, max_size=3).map(lambda strands: ["gather", strands]),
                inner.map(lambda body: ["call", body]),
                inner.map(lambda body: ["guard", body]),
            ),
            min_size=1,
            max_size=3,
        ),
        max_leaves=most_operations,
    )
    return program.map(_numbered)


def _numbered(program: Program) -> Program:
    numbers = iter(range(1_000_000))

    def walk(operations: Program) -> Program:
        found: Program = []
        for word, *rest in operations:
            if word == "step":
                found.append([word, next(numbers), *rest[1:]])
            elif word == "gather":
                found.append([word, [walk(strand) for strand in rest[0]]])
            elif word == "sleep":
                found.append([word, *rest])
            else:
                found.append([word, walk(rest[0])])
        return found

    return walk(program)


def steps_of(program: Program) -> Iterator[int]:
    """The numbers of all steps inside."""
    for word, *rest in program:
        if word == "step":
            yield rest[0]
        elif word == "gather":
            for strand in rest[0]:
                yield from steps_of(strand)
        elif word != "sleep":
            yield from steps_of(rest[0])


class Fails(Exception):
    """A step of the program fails for good, and nothing catches it."""


def meaning(program: Program) -> list[Any]:
    """What a program returns. Raises Fails."""
    return [_meaning(operation) for operation in program]


def _meaning(operation: list[Any]) -> Any:
    match operation:
        case ["step", number, fails, _, _]:
            if fails:
                raise Fails
            return number
        case ["sleep", _]:
            return None
        case ["gather", strands]:
            return [meaning(strand) for strand in strands]
        case ["call", body]:
            return meaning(body)
        case ["guard", body]:
            try:
                return meaning(body)
            except Fails:
                return CAUGHT
    raise AssertionError(operation)


def machine_of(executed: Counter[int]) -> PythonFlow[..., Any]:
    """The flow that runs programs; it counts each execution of a step by its number."""

    @step(retry=Retry(attempts=3, delay=Duration(seconds=5)))
    async def act(number: int, fails: bool, flaky: int, turns: int) -> int:
        executed[number] += 1
        for _ in range(turns):
            await asyncio.sleep(0)
        if fails:
            raise NodeError("as drawn", code="drawn", details=number)
        if executed[number] <= flaky:
            raise NodeError("for now", code="flaky")
        return number

    async def run(ctx: Context, program: Program) -> list[Any]:
        return [await operation(ctx, *item) for item in program]

    async def operation(ctx: Context, word: str, *rest: Any) -> Any:
        found: dict[str, Callable[..., Any]] = {
            "step": lambda: ctx.step(act, *rest),
            "sleep": lambda: ctx.sleep(*rest),
            "gather": lambda: ctx.gather(*(run(ctx, strand) for strand in rest[0])),
            "call": lambda: ctx.call(machine, program=rest[0]),
            "guard": lambda: guard(ctx, rest[0]),
        }
        return await found[word]()

    async def guard(ctx: Context, program: Program) -> Any:
        try:
            return await run(ctx, program)
        except NodeError:
            return CAUGHT

    @flow(name="machine")
    async def machine(ctx: Context, program: list[Any]) -> Any:
        return await run(ctx, program)

    return machine
