from __future__ import annotations

import asyncio
from typing import Any

import pytest

from penstock.core.errors import NodeError
from penstock.kinds.composing import Fork, Pipe

from .conftest import Calls, make


async def add(value: int) -> int:
    return value + 1


async def square(value: int) -> int:
    return value * value


async def fail(value: Any) -> Any:
    raise NodeError("no", code="refused")


async def test_a_fork_answers_in_the_order_of_its_ports() -> None:
    ctx = Calls(out_0=add, out_1=square)
    assert await make(Fork).run({"in": 5}, ctx) == {"done": [6, 25]}
    assert sorted(ctx.keys) == [0, 1]


async def test_the_branches_of_a_fork_run_at_the_same_time() -> None:
    meeting = asyncio.Barrier(2)

    async def meet(value: int) -> int:
        async with asyncio.timeout(5):
            return await meeting.wait() * 0 + value

    assert await make(Fork).run({"in": 5}, Calls(out_0=meet, out_1=meet)) == {"done": [5, 5]}


async def test_a_failing_branch_cancels_the_other_branches() -> None:
    ended: list[str] = []
    started = asyncio.Event()

    async def forever(value: int) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("forever")

    async def fail_later(value: int) -> None:
        await started.wait()
        await fail(value)

    with pytest.raises(NodeError, match="no") as caught:
        await make(Fork).run({"in": 5}, Calls(out_0=forever, out_1=fail_later))
    assert caught.value.code == "refused"
    assert ended == ["forever"]


async def test_a_pipe_gives_each_branch_the_response_of_the_one_before() -> None:
    ctx = Calls(out_0=add, out_1=square, out_2=add)
    assert await make(Pipe).run({"in": 2}, ctx) == {"done": 10}
    assert ctx.keys == [0, 1, 2]


async def test_a_failing_branch_ends_the_pipe() -> None:
    ctx = Calls(out_0=add, out_1=fail, out_2=add)
    with pytest.raises(NodeError, match="no"):
        await make(Pipe).run({"in": 2}, ctx)
    assert ctx.keys == [0, 1]
