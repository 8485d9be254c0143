from __future__ import annotations

import asyncio
from typing import Any

import pytest

from penstock.core.errors import NodeError, StoreFull
from penstock.core.payload import Error
from penstock.kinds.errors import RetryBranch, Throw, Try

from .conftest import Branch, Calls, make


async def fine(value: Any) -> Any:
    return f"fine {value}"


async def broken(value: Any) -> Any:
    raise NodeError("it broke", code="broken", node="deep/inside", details=[value])


def flaky(failures: int, *, code: str = "flaky") -> Branch:
    left = iter(range(failures))

    async def branch(value: Any) -> Any:
        if next(left, None) is not None:
            raise NodeError("not yet", code=code)
        return value

    return branch


CAUGHT = Error(code="broken", message="it broke", node="deep/inside", details=[1])


async def test_try_sends_the_response_when_nothing_fails() -> None:
    assert await make(Try).run({"in": 1}, Calls("error", out=fine)) == {"done": "fine 1"}


async def test_try_sends_the_failure_inside_to_its_error_port() -> None:
    assert await make(Try).run({"in": 1}, Calls("error", out=broken)) == {"error": CAUGHT}


async def test_try_without_an_error_link_goes_on_with_the_error_as_a_value() -> None:
    assert await make(Try).run({"in": 1}, Calls(out=broken)) == {"done": CAUGHT}


@pytest.mark.parametrize("cause", [StoreFull("the disk is full"), asyncio.CancelledError()])
async def test_try_catches_failures_of_nodes_and_nothing_else(cause: BaseException) -> None:
    async def branch(value: Any) -> Any:
        raise cause

    with pytest.raises(type(cause)):
        await make(Try).run({"in": 1}, Calls("error", out=branch))


async def test_retry_calls_again_until_it_succeeds() -> None:
    ctx = Calls(out=flaky(2))
    assert await make(RetryBranch, delay="2s").run({"in": 7}, ctx) == {"done": 7}
    assert ctx.keys == [1, 2, 3]
    assert ctx.slept == [2, 4]
    assert ctx.messages[0] == "attempt 1 of 3 failed: not yet; again in 2s"


async def test_retry_fails_with_the_last_failure() -> None:
    ctx = Calls(out=broken)
    with pytest.raises(NodeError, match="it broke") as caught:
        await make(RetryBranch, attempts=2).run({"in": 1}, ctx)
    assert caught.value.node == "deep/inside"
    assert ctx.keys == [1, 2]
    assert ctx.slept == [1]


async def test_retry_gives_up_at_once_on_an_error_that_is_not_worth_it() -> None:
    ctx = Calls(out=flaky(1, code="fatal"))
    with pytest.raises(NodeError, match="not yet"):
        await make(RetryBranch, on=["timeout"]).run({"in": 1}, ctx)
    assert ctx.keys == [1]


async def test_waits_are_capped_and_their_jitter_is_the_same_on_a_replay() -> None:
    config = {"attempts": 6, "delay": "1s", "max_delay": "3s", "jitter": 0.5}
    waits = []
    for _ in range(2):
        ctx = Calls(out=flaky(5))
        await make(RetryBranch, **config).run({"in": 1}, ctx)
        waits.append(ctx.slept)
    assert waits[0] == waits[1]
    assert all(0.5 <= wait <= 3 for wait in waits[0])
    assert len(set(waits[0])) > 1


@pytest.mark.parametrize(
    ("config", "payload", "code", "message", "details"),
    [
        (
            {"message": "no", "code": "refused", "details": {"a": 1}},
            "ignored",
            "refused",
            "no",
            {"a": 1},
        ),
        ({}, "text says it", "thrown", "text says it", None),
        ({"code": "mine"}, "text says it", "mine", "text says it", None),
        ({}, {"message": "m", "code": "c", "details": [1]}, "c", "m", [1]),
        ({}, None, "thrown", "thrown on purpose", None),
        ({}, Error(code="c", message="m", details=2), "c", "m", 2),
        ({"message": "instead"}, CAUGHT, "thrown", "instead", CAUGHT),
        ({}, [1, 2], "thrown", "thrown on purpose", [1, 2]),
        ({"details": 0}, [1, 2], "thrown", "thrown on purpose", 0),
    ],
)
def test_throw_fails_as_its_config_or_its_payload_says(
    config: dict[str, Any], payload: Any, code: str, message: str, details: Any
) -> None:
    with pytest.raises(NodeError) as caught:
        make(Throw, **config).run({"in": payload})
    assert (caught.value.code, caught.value.message, caught.value.details) == (code, message, details)
