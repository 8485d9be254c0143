from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.errors import NodeError, StoreFull
from penstock.core.payload import Error
from penstock.engine.kind import FieldError
from penstock.kinds.looping import Loop, Split

from .conftest import Calls, make


async def double(item: Any) -> Any:
    return item * 2


async def show(item: Any) -> Any:
    return item


class Gate:
    """A branch whose items wait until the test lets them go."""

    def __init__(self) -> None:
        self.open: dict[Any, asyncio.Event] = {}
        self.busy: set[Any] = set()
        self.arrived = asyncio.Condition()

    async def __call__(self, item: Any) -> Any:
        self.open[item] = asyncio.Event()
        self.busy.add(item)
        try:
            async with self.arrived:
                self.arrived.notify_all()
            await self.open[item].wait()
        finally:
            self.busy.discard(item)
        return item

    async def until(self, *items: Any) -> None:
        async with self.arrived, asyncio.timeout(5):
            await self.arrived.wait_for(lambda: self.busy == set(items))


@pytest.mark.parametrize(
    ("payload", "responses"),
    [
        ([3, 1, 2], [6, 2, 4]),
        ([], []),
        (3, [0, 2, 4]),
        (0, []),
    ],
)
async def test_each_item_is_called_and_responses_keep_their_order(
    payload: Any, responses: list[Any]
) -> None:
    ctx = Calls(out=double)
    assert await make(Loop).run({"in": payload}, ctx) == {"done": responses}
    assert ctx.keys == list(range(len(responses)))


async def test_a_mapping_loops_over_its_keys_and_values() -> None:
    found = await make(Loop).run({"in": {"b": 1, "a": 2}}, Calls(out=show))
    assert found == {"done": [{"key": "b", "value": 1}, {"key": "a", "value": 2}]}


async def test_configured_items_take_the_place_of_the_payload() -> None:
    assert await make(Loop, items=[1]).run({"in": [5, 6]}, Calls(out=double)) == {"done": [2]}


@pytest.mark.parametrize(
    "payload", [None, "abc", True, -1, 2.5, 10**12, b"", Error(code="c", message="m")]
)
async def test_what_has_no_items_is_refused(payload: Any) -> None:
    with pytest.raises(NodeError, match="cannot loop over") as caught:
        await make(Loop).run({"in": payload}, Calls(out=show))
    assert caught.value.code == "loop.items"


@pytest.mark.parametrize("items", [-1, 10**12])
def test_a_number_that_counts_no_items_is_refused_when_the_flow_is_compiled(items: int) -> None:
    with pytest.raises(FieldError, match="cannot loop over a n") as caught:
        make(Loop, items=items)
    assert caught.value.field == "items"


async def test_no_more_items_than_allowed_are_under_way_at_once() -> None:
    gate = Gate()
    task = asyncio.create_task(make(Loop, concurrency=2).run({"in": [0, 1, 2, 3]}, Calls(out=gate)))
    await gate.until(0, 1)
    gate.open[1].set()
    await gate.until(0, 2)
    gate.open[0].set()
    await gate.until(2, 3)
    gate.open[2].set()
    gate.open[3].set()
    assert await task == {"done": [0, 1, 2, 3]}


async def test_one_at_a_time_means_one_after_the_other() -> None:
    gate = Gate()
    task = asyncio.create_task(make(Loop, concurrency=1).run({"in": ["a", "b"]}, Calls(out=gate)))
    await gate.until("a")
    gate.open["a"].set()
    await gate.until("b")
    gate.open["b"].set()
    assert await task == {"done": ["a", "b"]}


async def test_a_failing_item_cancels_the_others_and_is_the_failure_of_the_loop() -> None:
    gate = Gate()

    async def body(item: int) -> Any:
        if item == 2:
            await gate.until(0, 1)
            raise NodeError("no twos", code="two")
        return await gate(item)

    ctx = Calls(out=body)
    with pytest.raises(NodeError, match="no twos"):
        await make(Loop, concurrency=3).run({"in": [0, 1, 2, 3]}, ctx)
    assert gate.busy == set()
    assert ctx.keys == [0, 1, 2]


async def odd_only(item: int) -> int:
    if item % 2 == 0:
        raise NodeError(f"{item} is even", code="even")
    return item


async def test_collected_errors_stand_in_the_place_of_their_responses() -> None:
    found = await make(Loop, on_item_error="collect").run({"in": [1, 2, 3]}, Calls(out=odd_only))
    assert found == {"done": [1, Error(code="even", message="2 is even"), 3]}


async def test_skipped_errors_leave_no_response() -> None:
    found = await make(Loop, on_item_error="skip").run({"in": 4}, Calls(out=odd_only))
    assert found == {"done": [1, 3]}


async def test_a_store_that_fails_is_never_taken_for_a_failing_item() -> None:
    async def body(item: int) -> int:
        raise StoreFull("the disk is full")

    with pytest.raises(StoreFull):
        await make(Loop, on_item_error="skip").run({"in": 3}, Calls(out=body))


async def test_cancelling_a_loop_cancels_its_items() -> None:
    gate = Gate()
    task = asyncio.create_task(make(Loop).run({"in": [0, 1]}, Calls(out=gate)))
    await gate.until(0, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gate.busy == set()


async def test_progress_rises_to_one_in_at_most_a_hundred_steps() -> None:
    ctx = Calls(out=show)
    await make(Loop).run({"in": 1000}, ctx)
    assert len(ctx.fractions) == 100
    assert ctx.fractions == sorted(ctx.fractions)
    assert ctx.fractions[-1] == 1


@settings(deadline=None)
@given(items=st.lists(st.integers()), concurrency=st.integers(1, 9))
async def test_order_never_depends_on_who_is_done_first(items: list[int], concurrency: int) -> None:
    async def body(item: int) -> int:
        for _ in range(item % 5):
            await asyncio.sleep(0)
        return item

    found = await make(Loop, concurrency=concurrency).run({"in": items}, Calls(out=body))
    assert found == {"done": items}


async def test_elements_go_to_their_own_ports_and_the_rest_to_out() -> None:
    async def first(item: Any) -> Any:
        return f"first {item}"

    ctx = Calls(out_0=first, out=show)
    assert await make(Split).run({"in": ["a", "b", "c"]}, ctx) == {"done": ["first a", "b", "c"]}
    assert sorted(ctx.keys) == [0, 1, 2]


async def test_a_mapping_splits_into_its_values_and_keeps_its_keys() -> None:
    found = await make(Split).run({"in": {"x": 1, "y": 2}}, Calls(out_0=double, out_1=show))
    assert found == {"done": {"x": 2, "y": 2}}


async def test_anything_else_is_one_element() -> None:
    assert await make(Split).run({"in": "abc"}, Calls(out=show)) == {"done": ["abc"]}
    assert await make(Split).run({"in": []}, Calls()) == {"done": []}


async def test_an_element_without_a_port_fails_before_anything_is_called() -> None:
    ctx = Calls(out_0=show)
    with pytest.raises(NodeError, match=r"element 1 of 2 has nowhere to go[\s\S]*`out\[1\]`") as caught:
        await make(Split).run({"in": [1, 2]}, ctx)
    assert caught.value.code == "split.unlinked"
    assert ctx.keys == []
