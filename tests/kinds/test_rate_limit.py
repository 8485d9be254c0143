from __future__ import annotations

import asyncio
from typing import Any

import pytest

from penstock import Runtime
from penstock.core.errors import NodeError
from penstock.engine.loading import Loader
from penstock.kinds import standard_scheme
from penstock.kinds.rate_limit import RateLimit
from penstock.testing.clock import FakeClock

from .conftest import RecordingContext, make


class Gate:
    """A limit, and a context at a time of its own that does not wait."""

    def __init__(self, **config: Any) -> None:
        self.node = make(RateLimit, **config)
        self.time = 1000.0
        self.fired = 0

    async def load(self) -> Gate:
        await self.node.load()
        return self

    async def knock(self, payload: Any = None, *linked: str) -> tuple[Any, float]:
        """What is sent, and how long it waited."""
        ctx = RecordingContext(*linked)
        self.fired += 1
        ctx.idempotency_key = f"run:{self.fired}"
        ctx.now = lambda: self.time  # type: ignore[attr-defined]
        ctx.sleep = self._sleep(ctx)  # type: ignore[method-assign]
        sent = await self.node.run({"in": payload}, ctx)
        return sent, round(sum(ctx.slept), 3)

    @staticmethod
    def _sleep(ctx: RecordingContext) -> Any:
        async def sleep(seconds: float) -> None:
            ctx.slept.append(seconds)

        return sleep


async def waits(gate: Gate, count: int) -> list[float]:
    return [(await gate.knock())[1] for _ in range(count)]


async def test_as_many_as_the_rate_pass_at_once_and_the_rest_in_turn() -> None:
    gate = await Gate(rate="2/s").load()
    assert await waits(gate, 5) == [0, 0, 0.5, 1, 1.5]


async def test_a_burst_may_be_smaller_or_larger_than_the_rate() -> None:
    assert await waits(await Gate(rate="2/s", burst=1).load(), 3) == [0, 0.5, 1]
    assert await waits(await Gate(rate="2/s", burst=4).load(), 5) == [0, 0, 0, 0, 0.5]


async def test_the_bucket_fills_again_with_time() -> None:
    gate = await Gate(rate="2/s").load()
    await waits(gate, 2)
    gate.time += 0.5
    assert await waits(gate, 2) == [0, 0.5]
    gate.time += 60
    assert await waits(gate, 3) == [0, 0, 0.5]


async def test_each_key_has_a_bucket_of_its_own() -> None:
    gate = await Gate(rate="1/s", key="self.user").load()
    found = [(await gate.knock({"user": user}))[1] for user in ("ada", "ada", "grace", "ada")]
    assert found == [0, 1, 0, 2]


async def test_the_payload_passes_as_it_is() -> None:
    gate = await Gate(rate="1/s").load()
    assert await gate.knock({"a": 1}) == ({"out": {"a": 1}}, 0)


async def test_one_that_would_wait_too_long_is_refused_with_the_time_to_come_again() -> None:
    gate = await Gate(rate="1/s", max_wait="1s").load()
    assert await waits(gate, 2) == [0, 1]
    with pytest.raises(NodeError, match="more than 1/s: the next may pass in 2s") as caught:
        await gate.knock()
    assert caught.value.code == "rate_limited"
    assert caught.value.details == {"retry_after": 2.0}


async def test_one_that_is_refused_takes_no_token() -> None:
    gate = await Gate(rate="1/s", max_wait="0s").load()
    await gate.knock()
    for _ in range(10):
        with pytest.raises(NodeError):
            await gate.knock()
    gate.time += 1
    assert await gate.knock() == ({"out": None}, 0)


async def test_a_refused_payload_goes_to_the_port_limited_when_that_is_linked() -> None:
    gate = await Gate(rate="1/s", max_wait="0s").load()
    await gate.knock()
    assert await gate.knock("payload", "limited") == ({"limited": "payload"}, 0)


async def test_keys_at_rest_are_forgotten() -> None:
    gate = await Gate(rate="1/s", key="self").load()
    for number in range(3000):
        gate.time += 1
        await gate.knock(number)
    assert len(gate.node._buckets) <= 1001


@pytest.mark.parametrize(
    ("rate", "gap"),
    [("10/s", 0.1), ("60/m", 1), ("5/10s", 2), ("1 / 1h", 3600), ("2/PT1M", 30), ("1/100ms", 0.1)],
)
async def test_a_rate_is_a_number_and_a_time(rate: str, gap: float) -> None:
    assert await waits(await Gate(rate=rate, burst=1).load(), 2) == [0, gap]


@pytest.mark.parametrize(
    "rate", ["", "10", "10/", "/s", "0/s", "10/0s", "ten/s", "10/year", "-1/s", "1/s/s"]
)
def test_what_is_no_rate_is_refused(rate: str) -> None:
    with pytest.raises(ValueError, match="is no rate; write how many"):
        make(RateLimit, rate=rate)


def test_a_key_that_is_broken_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`self\.` is no expression"):
        make(RateLimit, rate="1/s", key="self.")


async def test_a_wait_that_is_interrupted_goes_on_with_its_turn() -> None:
    """A run that left memory comes again with the same firing: it takes no second token."""
    gate = await Gate(rate="1/s").load()
    await gate.knock()
    ctx = RecordingContext()
    ctx.now = lambda: gate.time  # type: ignore[attr-defined]

    async def leave(seconds: float) -> None:
        ctx.slept.append(seconds)
        if len(ctx.slept) == 1:
            raise asyncio.CancelledError

    ctx.sleep = leave  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await gate.node.run({"in": "late"}, ctx)
    gate.time += 0.25
    assert await gate.node.run({"in": "late"}, ctx) == {"out": "late"}
    assert ctx.slept == [1, 0.75]
    assert (await gate.knock())[1] == 1.75


async def test_a_limit_holds_for_all_runs_of_a_flow_on_the_clock_of_the_runtime() -> None:
    document = "flow: gently\nnodes: [{kind: rate_limit, name: limit, rate: 1/h}]\n"
    clock = FakeClock()
    flow = Loader(standard_scheme()).read(document, file="gently.yaml")
    async with Runtime("memory:", clock=clock) as runtime:
        assert await (await runtime.start(flow)).result() == {}
        second = await runtime.start(flow)
        await clock.scheduled()
        clock.advance(3600)
        assert await second.result() == {}
