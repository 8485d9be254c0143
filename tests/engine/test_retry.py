"""Retries of a node, and limits of time: attempts, backoff, timeouts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.engine.flows import graph
from tests.engine.watching import data_of, lines, pass_time, result_of, seen, story, until

from penstock import (
    NodeContext,
    NodeError,
    Runtime,
    node,
)
from penstock.core.errors import RunFailed
from penstock.testing.clock import FakeClock


class Flaky:
    """A kind that fails so many times."""

    def __init__(self, failures: int, code: str = "flaky") -> None:
        self.attempts: list[int] = []
        self.keys: set[str] = set()

        @node("flaky")
        async def flaky(value: Any = None, *, ctx: NodeContext) -> str:
            self.attempts.append(ctx.attempt)
            self.keys.add(ctx.idempotency_key)
            if len(self.attempts) <= failures:
                raise NodeError("not yet", code=code)
            return "at last"

        self.kind = flaky


def retried(policy: str, flaky: Flaky) -> Any:
    return graph(f"{{flow: f, nodes: [{{kind: flaky, name: a, retry: {policy}}}]}}", flaky.kind)


@pytest.mark.parametrize(
    ("policy", "waits"),
    [
        ("{attempts: 5, delay: 2s}", [2, 4, 8, 16]),
        ("{attempts: 5, delay: 2s, factor: 3, max_delay: 20s}", [2, 6, 18, 20]),
        ("{attempts: 5, delay: 2s, backoff: linear}", [2, 4, 6, 8]),
        ("{attempts: 5, delay: 2s, backoff: constant}", [2, 2, 2, 2]),
        ("{attempts: 5, delay: 2s, backoff: constant, jitter: 0.5}", [1, 3, 2, 2.5]),
        ("{attempts: 5, delay: 2s, max_delay: 1s}", [1, 1, 1, 1]),
    ],
)
async def test_the_waits_grow_as_the_policy_says_and_begin_with_the_delay(
    policy: str, waits: list[float]
) -> None:
    clock = FakeClock(chances=(0.0, 1.0, 0.5, 0.75) if "jitter" in policy else (0.5,))
    flaky = Flaky(4)
    async with Runtime("memory:", clock=clock, evict_after=10_000) as runtime:
        run = await runtime.start(retried(policy, flaky))
        for number, wait in enumerate(waits, 1):
            await until(lambda number=number: len(flaky.attempts) == number)  # type: ignore[misc]
            await pass_time(clock, wait - 0.25)
            assert len(flaky.attempts) == number
            await pass_time(clock, 0.25)
        assert await result_of(run) == "at last"
        retrying = data_of(await story(run), "node.retrying", "a")
    assert [facts["delay_ms"] for facts in retrying] == [wait * 1000 for wait in waits]
    assert [facts["attempt"] for facts in retrying] == [1, 2, 3, 4]
    assert flaky.attempts == [1, 2, 3, 4, 5]
    assert len(flaky.keys) == 1


async def test_the_last_failure_counts_when_all_attempts_failed(runtime: Runtime) -> None:
    flaky = Flaky(9)
    run = await runtime.start(retried("{attempts: 3, delay: 0}", flaky))
    with pytest.raises(RunFailed, match="not yet"):
        await result_of(run)
    assert flaky.attempts == [1, 2, 3]
    assert lines(await story(run), "node.") == [
        "node.started a", "node.retrying a",
        "node.started a", "node.retrying a",
        "node.started a", "node.failed a",
    ]  # fmt: skip


async def test_one_attempt_never_retries(runtime: Runtime) -> None:
    flaky = Flaky(1)
    with pytest.raises(RunFailed):
        await result_of(await runtime.start(retried("{attempts: 1}", flaky)))
    assert flaky.attempts == [1]


@pytest.mark.parametrize(
    ("policy", "attempts"),
    [
        ("{attempts: 3, delay: 0, on: [flaky]}", 3),
        ("{attempts: 3, delay: 0, on: [timeout]}", 1),
        ("{attempts: 3, delay: 0, unless: [flaky]}", 1),
        ("{attempts: 3, delay: 0, on: [flaky], unless: [flaky]}", 1),
    ],
)
async def test_only_errors_that_the_policy_covers_are_retried(
    runtime: Runtime, policy: str, attempts: int
) -> None:
    flaky = Flaky(9)
    with pytest.raises(RunFailed):
        await result_of(await runtime.start(retried(policy, flaky)))
    assert len(flaky.attempts) == attempts


async def test_the_error_port_gets_only_the_last_failure(runtime: Runtime) -> None:
    flaky = Flaky(9)

    @node("give", pure=True)
    def give(value: Any) -> Any:
        return value.code

    text = """
    flow: f
    nodes:
      - {kind: flaky, name: a, retry: {attempts: 3, delay: 0}, links: {error: b}}
      - {kind: give, name: b}
    """
    assert await result_of(await runtime.start(graph(text, flaky.kind, give))) == "flaky"
    assert flaky.attempts == [1, 2, 3]


async def test_a_retry_can_be_cancelled_in_its_backoff(runtime: Runtime) -> None:
    flaky = Flaky(9)
    run = await runtime.start(retried("{attempts: 3, delay: 1h}", flaky))
    await seen(run, "node.retrying", "a")
    async with asyncio.timeout(1):
        await run.cancel()
    assert flaky.attempts == [1]


async def test_a_wide_retry_never_overflows(runtime: Runtime) -> None:
    from penstock.core.policies import Retry

    policy = Retry(attempts=1_000_000, factor=1e6, jitter=1.0)
    assert policy.wait(999_999, 1.0) == policy.max_delay.total_seconds()
