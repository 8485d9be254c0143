from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from penstock.core.errors import NodeError
from penstock.kinds.cache import Cache

from .conftest import Calls, RunFlow, make


class Source:
    """A branch that counts how often it is called, and a context around it at a time of its own."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.time = 1000.0
        self.answer: Callable[[Any], Any] = lambda payload: f"answer {len(self.asked)}"
        self.release: asyncio.Event | None = None
        self.ctx = Calls(out=self._call)
        self.ctx.now = lambda: self.time  # type: ignore[attr-defined]

    async def _call(self, payload: Any) -> Any:
        self.asked.append(payload)
        if self.release is not None:
            await self.release.wait()
        return self.answer(payload)


@pytest.fixture
def source() -> Source:
    return Source()


async def cache(**config: Any) -> Any:
    node = make(Cache, **config)
    await node.load()
    return node


async def ask(node: Any, source: Source, payload: Any) -> Any:
    return (await node.run({"in": payload}, source.ctx))["done"]


def refuse(payload: Any) -> Any:
    raise NodeError("out of order", code="broken")


async def asking(node: Any, source: Source, *payloads: Any) -> list[asyncio.Task[Any]]:
    """Tasks that ask, each of which has come as far as it can."""
    tasks = [asyncio.create_task(ask(node, source, payload)) for payload in payloads]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_what_was_asked_before_is_answered_from_memory(source: Source) -> None:
    node = await cache()
    assert [await ask(node, source, {"id": 1}) for _ in range(3)] == ["answer 1"] * 3
    assert source.asked == [{"id": 1}]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({"a": 1, "b": [2]}, {"b": [2], "a": 1}, True),
        ({"a": 1}, {"a": 2}, False),
        (1, "1", False),
        (1, True, False),
        ([1, 2], [2, 1], False),
        (None, "", False),
        (b"x", "x", False),
    ],
)
async def test_equal_payloads_are_the_same_question(
    source: Source, first: Any, second: Any, *, same: bool
) -> None:
    node = await cache()
    await ask(node, source, first)
    await ask(node, source, second)
    assert len(source.asked) == (1 if same else 2)


async def test_a_key_says_which_questions_are_the_same(source: Source) -> None:
    node = await cache(key="self.id")
    for time in (1, 2):
        await ask(node, source, {"id": 7, "time": time})
    assert source.asked == [{"id": 7, "time": 1}]


async def test_nothing_is_an_answer_as_well(source: Source) -> None:
    source.answer = lambda payload: None
    node = await cache()
    assert [await ask(node, source, 1) for _ in range(2)] == [None, None]
    assert len(source.asked) == 1


async def test_an_answer_is_good_until_its_time_is_up(source: Source) -> None:
    node = await cache(ttl="1m")
    await ask(node, source, 1)
    source.time += 59.9
    assert await ask(node, source, 1) == "answer 1"
    source.time += 0.1
    assert await ask(node, source, 1) == "answer 2"


async def test_the_one_that_was_not_asked_for_longest_goes_first(source: Source) -> None:
    node = await cache(max_size=2)
    for payload in ("a", "b", "a", "c", "a", "b"):
        await ask(node, source, payload)
    assert source.asked == ["a", "b", "c", "b"]


async def test_who_asks_the_same_at_once_waits_for_one_answer(source: Source) -> None:
    source.release = asyncio.Event()
    node = await cache()
    tasks = await asking(node, source, 1, 1, 2, 1)
    source.release.set()
    answers = await asyncio.gather(*tasks)
    assert source.asked == [1, 2]
    assert answers[0] == answers[1] == answers[3]


async def test_a_failure_reaches_who_waited_for_it_and_is_not_kept(source: Source) -> None:
    source.release, source.answer = asyncio.Event(), refuse
    node = await cache()
    tasks = await asking(node, source, 1, 1)
    source.release.set()
    failures = await asyncio.gather(*tasks, return_exceptions=True)
    assert [getattr(each, "code", None) for each in failures] == ["broken", "broken"]
    source.answer = lambda payload: "at last"
    assert await ask(node, source, 1) == "at last"
    assert source.asked == [1, 1]


async def test_when_the_one_who_asks_is_cancelled_another_one_asks(source: Source) -> None:
    source.release = asyncio.Event()
    node = await cache()
    first, second, third = await asking(node, source, 1, 1, 1)
    first.cancel()
    await asking(node, source)
    source.release.set()
    assert await asyncio.gather(second, third) == ["answer 2", "answer 2"]
    assert first.cancelled()


async def test_one_that_waits_can_be_cancelled_without_harm_to_the_others(source: Source) -> None:
    source.release = asyncio.Event()
    node = await cache()
    first, second = await asking(node, source, 1, 1)
    second.cancel()
    await asking(node, source)
    source.release.set()
    assert await first == "answer 1"
    assert second.cancelled()


async def test_an_old_answer_stands_in_for_a_failure_when_it_may(source: Source) -> None:
    node = await cache(ttl="1m", stale_if_error="1h")
    await ask(node, source, 1)
    source.answer = refuse
    source.time += 600
    assert await ask(node, source, 1) == "answer 1"
    assert source.ctx.messages == ["an older answer stands in for a failure: out of order"]
    source.time += 3600
    with pytest.raises(NodeError, match="out of order"):
        await ask(node, source, 1)


async def test_a_key_that_cannot_be_computed_fails(source: Source) -> None:
    node = await cache(key="self.id")
    with pytest.raises(NodeError) as caught:
        await ask(node, source, {})
    assert caught.value.code == "expression.missing"
    assert source.asked == []


def test_a_key_that_is_broken_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`self\.` is no expression"):
        make(Cache, key="self.")


async def test_a_flow_asks_once_for_the_same_item(run_flow: RunFlow) -> None:
    found = await run_flow(
        """
        flow: prices
        nodes:
          - {kind: loop, name: each, items: [pen, ink, pen, pen], links: {out: known, done: end}}
          - {kind: cache, name: known, links: {out: count}}
          - kind: snippet
            language: python
            name: count
            code: |
              import itertools
              numbers = itertools.count()
              def main(input):
                  return [input, next(numbers)]
          - {kind: snippet, name: end, language: cel, code: self}
        """
    )
    assert found[0] == found[2] == found[3]
    assert found[1][0] == "ink"
