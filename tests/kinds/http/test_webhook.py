"""`http.webhook`: reports of other services, without a socket."""

from __future__ import annotations

import asyncio
import hmac
import json
from typing import Any

import pytest
from tests.kinds.conftest import make
from tests.kinds.http.fakes import FakeContext, answer, opened
from tests.kinds.triggers import stop

from penstock.core.errors import ListenError, NodeError, RequestRefused, StoreError
from penstock.engine.kind import FieldError
from penstock.kinds.http.listener import Listener
from penstock.kinds.http.webhook import Webhook


async def alone(graph: Any = lambda payload: "done", **config: Any) -> tuple[Webhook, FakeContext]:
    """A webhook with a port of its own."""
    ctx = FakeContext({} if graph is None else {"out": graph}, node="hook")
    return await opened(make(Webhook, **{"port": 0, "path": "/hook", **config}), ctx), ctx


async def together(**out: Any) -> tuple[Listener, Webhook, FakeContext]:
    """A webhook at a listener, which may have an `out` of its own."""
    shared: dict[type, Any] = {}
    listener = await opened(make(Listener, port=0), FakeContext(out, shared=shared))
    ctx = FakeContext({"out": lambda payload: None}, node="hook", shared=shared)
    hook = await opened(make(Webhook, listener="api", path="/hooks/:who"), ctx)
    return listener, hook, ctx


async def test_a_report_is_recorded_before_it_is_accepted() -> None:
    hook, ctx = await alone()

    response = await answer(hook, "POST", "/hook?a=1", {"Content-Type": "application/json"}, b"[1]")

    assert (response.status, response.body) == (202, b"")
    ((payload, key),) = ctx.submitted
    assert (payload["body"], payload["query"], payload["params"], key) == ([1], {"a": "1"}, {}, "")


async def test_a_delivery_that_comes_again_is_accepted_once() -> None:
    hook, ctx = await alone(key="X-GitHub-Delivery")

    for number in ("1", "2", "1"):
        response = await answer(hook, "POST", "/hook", {"X-GitHub-Delivery": number})
        assert response.status == 202
    assert [key for _, key in ctx.submitted] == ["1", "2"]


async def test_a_store_that_fails_does_not_accept() -> None:
    hook, ctx = await alone()

    async def full(*_: Any, **__: Any) -> bool:
        raise StoreError("the disk is full")

    ctx.submit = full  # type: ignore[method-assign]

    assert (await answer(hook, "POST", "/hook")).status == 500


async def test_the_graph_may_answer() -> None:
    hook, ctx = await alone(lambda payload: {"status": 201, "body": payload["body"]}, reply="response")

    response = await answer(hook, "POST", "/hook", body=b"abc")

    assert (response.status, response.body, ctx.submitted) == (201, b"abc", [])


async def test_a_graph_that_answers_may_take_its_time() -> None:
    async def slow(payload: Any) -> str:
        await asyncio.sleep(0)
        return "slow"

    hook, _ = await alone(slow, reply="response", durable=False)

    assert (await answer(hook, "POST", "/hook")).body == b"slow"


async def test_what_is_not_durable_is_accepted_and_goes_on_beside() -> None:
    going, done = asyncio.Event(), asyncio.Event()

    async def slow(payload: Any) -> None:
        await going.wait()
        done.set()

    hook, _ = await alone(slow, durable=False)

    assert (await answer(hook, "POST", "/hook")).status == 202
    assert not done.is_set()
    going.set()
    await stop(hook)
    assert done.is_set()


async def test_what_is_not_durable_and_fails_is_in_the_log() -> None:
    def boom(payload: Any) -> None:
        raise NodeError("no", code="boom")

    hook, ctx = await alone(boom, durable=False)
    await answer(hook, "POST", "/hook")
    await stop(hook)

    assert [facts["code"] for _, facts in ctx.warnings] == ["boom"]


async def test_closing_waits_no_longer_than_the_drain() -> None:
    async def never(payload: Any) -> None:
        await asyncio.Event().wait()

    hook, ctx = await alone(never, durable=False, drain="1ms")
    await answer(hook, "POST", "/hook")
    await stop(hook)

    (task,) = ctx.tasks
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_while_nothing_takes_reports_the_service_is_told_to_come_again() -> None:
    hook, ctx = await alone(None)

    response = await answer(hook, "POST", "/hook")

    assert (response.status, dict(response.headers)["Retry-After"]) == (503, "5")
    assert ctx.submitted == []


async def test_other_paths_and_methods_are_not_its_own() -> None:
    hook, _ = await alone(method=["POST", "PUT"])

    assert (await answer(hook, "POST", "/")).status == 404
    response = await answer(hook, "GET", "/hook")
    assert (response.status, dict(response.headers)["allow"]) == (405, "OPTIONS, POST, PUT")
    assert (await answer(hook, "PUT", "/hook/")).status == 202


async def test_a_body_that_cannot_be_read_is_refused() -> None:
    hook, ctx = await alone()

    with pytest.raises(RequestRefused, match="not JSON"):
        await answer(hook, "POST", "/hook", {"Content-Type": "application/json"}, b"{")
    assert ctx.submitted == []


async def test_what_is_not_signed_is_refused_before_it_is_read() -> None:
    hook, ctx = await alone(signature={"secret": "s"})
    digest = hmac.new(b"s", b"{", "sha256").hexdigest()
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={digest}"}

    with pytest.raises(RequestRefused) as unsigned:
        await answer(hook, "POST", "/hook", {"Content-Type": "application/json"}, b"{")
    with pytest.raises(RequestRefused) as signed:
        await answer(hook, "POST", "/hook", headers, b"{")

    assert (unsigned.value.status, signed.value.status, ctx.submitted) == (401, 400, [])


async def test_a_webhook_hangs_at_a_listener_by_its_name() -> None:
    listener, _, ctx = await together(out=lambda payload: "the listener's own")

    assert (await answer(listener, "POST", "/hooks/github")).status == 202
    assert ctx.submitted[0][0]["params"] == {"who": "github"}
    assert (await answer(listener, "GET", "/hooks/github")).body == b"the listener's own"
    assert (await answer(listener, "GET", "/")).body == b"the listener's own"


async def test_a_listener_without_an_out_answers_for_its_webhooks_alone() -> None:
    listener, _, _ = await together()

    assert (await answer(listener, "POST", "/hooks/github")).status == 202
    assert (await answer(listener, "GET", "/hooks/github")).status == 405
    assert (await answer(listener, "GET", "/")).status == 404
    with pytest.raises(RequestRefused, match="not UTF-8"):
        await answer(listener, "POST", "/hooks/%ff")


async def test_a_webhook_that_goes_leaves_its_path() -> None:
    listener, hook, _ = await together()
    await stop(hook)

    assert listener.board.routes is None
    assert (await answer(listener, "POST", "/hooks/github")).status == 404


async def test_a_webhook_may_come_before_its_listener_and_outlive_it() -> None:
    shared: dict[type, Any] = {}
    ctx = FakeContext({"out": lambda payload: None}, node="hook", shared=shared)
    await opened(make(Webhook, listener="api", path="/hook"), ctx)

    for _ in range(2):
        listener = await opened(make(Listener, port=0), FakeContext(shared=shared))
        assert (await answer(listener, "POST", "/hook")).status == 202
        await stop(listener)


async def test_a_path_that_another_webhook_has_keeps_the_second_away() -> None:
    listener, _, ctx = await together()
    again = make(Webhook, listener="api", path="/hooks/:name")

    with pytest.raises(ListenError, match="there is a route for POST `/hooks/:name` already"):
        await opened(again, ctx)
    await stop(again)
    assert (await answer(listener, "POST", "/hooks/x")).status == 202


async def test_a_listener_that_does_not_come_is_in_the_log() -> None:
    ctx = FakeContext(node="hook")
    await opened(make(Webhook, listener="nobody", path="/hook"), ctx)
    ctx.clock.advance(4.9)
    assert ctx.warnings == []
    ctx.clock.advance(0.2)

    assert ctx.warnings == [("no listener `nobody` is open, so nobody can reach this webhook", {})]


async def test_a_listener_that_is_there_is_no_reason_to_warn() -> None:
    _, hook, ctx = await together()
    ctx.clock.advance(10)
    await stop(hook)

    assert (ctx.warnings, ctx.clock.pending) == ([], [])


async def test_it_says_where_it_is() -> None:
    _, hook, _ = await together()

    assert hook.describe() == "POST /hooks/:who on api"


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ({"path": "/a"}, ("listener",)),
        ({"path": "/a", "listener": "x", "port": 0}, ("listener",)),
        ({"path": "a", "port": 0}, ("path",)),
        ({"path": "/a", "port": 0, "method": "A B"}, ("method",)),
        ({"path": "/a", "port": 0, "key": "x", "durable": False}, ("key",)),
        ({"path": "/a", "port": 0, "key": "x", "reply": "response"}, ("key",)),
        ({"path": "/a", "port": 0, "signature": {"secret": ""}}, ("signature", "secret")),
    ],
)
def test_a_mistake_in_the_config_is_told_with_its_place(config: Any, place: tuple[str, ...]) -> None:
    with pytest.raises(FieldError) as caught:
        make(Webhook, **config)
    assert caught.value.path == place


async def test_the_problem_of_a_refusal_is_readable() -> None:
    hook, _ = await alone()
    response = await answer(hook, "GET", "/hook")

    assert (
        json.loads(response.body)["detail"] == "`GET` is not allowed at `/hook`; allowed: OPTIONS, POST"
    )
