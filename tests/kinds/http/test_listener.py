"""`listener`: from a request to the graph and back, without a socket."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from tests.kinds.conftest import make
from tests.kinds.http.fakes import FakeContext, Graph, answer, opened, request

from penstock.core.errors import NodeError, RequestRefused, StoreError
from penstock.core.payload import Error
from penstock.engine.observer import Observer, Subject
from penstock.kinds.http.listener import Listener
from penstock.kinds.http.measured import Measured
from penstock.server.messages import Response


async def listening(ctx: FakeContext | None = None, **ports: Graph) -> tuple[Listener, FakeContext]:
    ctx = ctx or FakeContext(ports)
    return await opened(make(Listener, port=0), ctx), ctx


def boom(payload: Any) -> Any:
    raise NodeError("the password is hunter2", code="boom", node="a/b", remedy="look into the safe")


async def later(payload: Any) -> Any:
    await asyncio.sleep(0)
    return payload["method"]


async def test_a_graph_that_can_is_asked_at_once() -> None:
    node, ctx = await listening(out=lambda payload: payload["path"])

    response = node.answer(request(target="/a?b=c"))

    assert isinstance(response, Response)
    assert response.body == b"/a"
    assert ctx.asked[0][1]["query"] == {"b": "c"}


async def test_a_graph_that_takes_its_time_is_awaited() -> None:
    node, _ = await listening(out=later)

    assert (await answer(node, "PUT")).body == b"PUT"


async def test_a_body_that_is_still_coming_is_awaited() -> None:
    class Rest:
        async def chunks(self) -> Any:
            yield b'{"a"'
            yield b": 1}"

    node, _ = await listening(out=lambda payload: payload["body"])
    asked = request("POST", headers={"Content-Type": "application/json"})
    asked.body_now, asked.incoming = None, Rest()  # type: ignore[assignment]

    response = node.answer(asked)

    assert not isinstance(response, Response)
    assert (await response).body == b'{"a":1}'


async def test_a_request_that_cannot_be_read_is_refused_before_the_graph_is_asked() -> None:
    node, ctx = await listening(out=lambda payload: None)

    with pytest.raises(RequestRefused, match="not JSON"):
        node.answer(request("POST", headers={"Content-Type": "application/json"}, body=b"{"))
    assert ctx.asked == []


async def test_the_traceparent_goes_along() -> None:
    node, ctx = await listening(out=lambda payload: None)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    await answer(node, headers={"traceparent": trace})

    assert ctx.traces == [trace]


@pytest.mark.parametrize(
    "graph", [boom, lambda payload: Error(code="boom", message="hunter2", node="a/b")]
)
async def test_a_failure_tells_the_client_an_id_and_the_log_the_rest(graph: Graph) -> None:
    node, ctx = await listening(out=graph)

    response = await answer(node)
    document = json.loads(response.body)

    assert response.status == document["status"] == 500
    assert dict(response.headers)["Content-Type"] == "application/problem+json"
    assert b"hunter2" not in response.body
    assert b"boom" not in response.body
    ((message, facts),) = ctx.warnings
    assert facts == {"id": document["id"], "code": "boom", "failed_node": "a/b"}
    assert "hunter2" not in message  # the log has it from the process itself, and without secrets


async def test_a_failure_that_comes_later_is_told_alike() -> None:
    async def late(payload: Any) -> Any:
        await asyncio.sleep(0)
        boom(payload)

    node, ctx = await listening(out=late)

    assert (await answer(node)).status == 500
    assert len(ctx.warnings) == 1


async def test_the_error_port_answers_in_place_of_the_graph() -> None:
    node, ctx = await listening(out=boom, error=lambda error: {"status": 503, "body": error.code})

    response = await answer(node)

    assert (response.status, response.body) == (503, b"boom")
    assert ctx.warnings == []


async def test_a_store_that_fails_is_told_as_a_failure() -> None:
    def full(payload: Any) -> Any:
        raise StoreError("the disk is full")

    node, ctx = await listening(out=full)

    assert (await answer(node)).status == 500
    assert ctx.warnings[0][1]["code"] == "StoreError"


async def test_a_mistake_in_the_answer_is_a_500_and_the_log_says_what_to_mend() -> None:
    node, ctx = await listening(out=lambda payload: {"status": 99})

    response = await answer(node)

    assert response.status == 500
    assert ctx.warnings[0][0].endswith("the status 99 cannot be sent")
    assert ctx.warnings[0][1]["remedy"] == "answer a number from 200 to 599"


async def test_an_answer_that_the_client_does_not_accept_is_406() -> None:
    node, ctx = await listening(out=lambda payload: {"a": 1})

    response = await answer(node, headers={"Accept": "image/png"})

    assert (response.status, ctx.warnings) == (406, [])
    assert "application/json" in json.loads(response.body)["detail"]


@pytest.mark.parametrize(
    ("payload", "failed"),
    [
        ({"status": 400}, True),
        ({"status": 399, "body": "x"}, False),
        ({"status": 99}, True),
        ({"headers": {"a": "b\r\n"}}, True),
        (Error(code="boom", message="x"), True),
        ([1], False),
        (None, False),
        ("x", False),
    ],
)
async def test_what_the_client_hears_as_a_failure_rolls_back(payload: Any, failed: bool) -> None:
    node, ctx = await listening(out=lambda _: payload)

    response = await answer(node)

    assert (response.status >= 400) == failed
    assert ctx.failed == ([payload] if failed else [])


async def test_an_answer_that_nobody_accepts_rolls_back() -> None:
    async def one(_: Any) -> list[int]:
        return [1]

    node, ctx = await listening(out=one)
    await answer(node, headers={"Accept": "text/html"})

    assert ctx.failed == [[1]]


async def test_the_answer_is_encoded_once_though_it_is_judged_first() -> None:
    node, ctx = await listening(out=lambda payload: {"status": 99})
    await answer(node)

    assert len(ctx.warnings) == 1


async def test_without_a_graph_there_is_nothing_anywhere() -> None:
    node, _ = await listening()

    assert (await answer(node, target="/x")).status == 404
    with pytest.raises(RequestRefused, match="not UTF-8"):
        await answer(node, target="/%ff")


async def test_a_handshake_without_anything_for_it_is_a_request() -> None:
    node, _ = await listening(out=lambda payload: payload["headers"]["upgrade"])

    assert (await answer(node, headers={"Upgrade": "websocket"})).body == b"websocket"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"port": 0, "limits": {"head_timeout": 0}}, "longer than nothing"),
        ({"port": 70000}, "<= 65535"),
        ({"port": 1, "protocol": "smtp"}, "smtp"),
        ({"port": 1, "limits": {"body_bytes": 0}}, ">= 1"),
        ({"port": 1, "tls": {"cert": "a"}}, "key"),
    ],
)
def test_a_mistake_in_the_config_is_told(config: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make(Listener, **config)


class Watcher(Observer):
    """Keeps what it is told of requests."""

    def __init__(self) -> None:
        self.done: list[tuple[str, int, int, int]] = []
        self.open = 0
        self.most = 0

    def requests_open(self, listener: Subject, change: int) -> None:
        self.open += change
        self.most = max(self.most, self.open)

    def request_done(
        self, listener: Subject, method: str, status: int, seconds: float, received: int, sent: int
    ) -> None:
        assert (listener.name, seconds) == ("api", 0.0)
        self.done.append((method, status, received, sent))


async def measured(graph: Graph) -> tuple[Measured, Watcher]:
    watcher = Watcher()
    node, ctx = await listening(FakeContext({"out": graph}, observer=watcher))
    return Measured(ctx, node.answer), watcher  # type: ignore[arg-type]


async def test_an_observer_hears_of_each_request() -> None:
    handler, watcher = await measured(lambda payload: payload.get("body"))

    handler(request("POST", body=b"abc"))
    handler(request())

    assert watcher.done == [("POST", 200, 3, 3), ("GET", 204, 0, 0)]
    assert watcher.most == 0


async def test_an_observer_hears_of_requests_that_take_their_time() -> None:
    handler, watcher = await measured(later)

    coming = handler(request())
    assert not isinstance(coming, Response)
    await coming

    assert watcher.done == [("GET", 200, 0, 3)]
    assert (watcher.most, watcher.open) == (1, 0)


async def test_an_observer_hears_of_refusals_and_of_clients_that_leave() -> None:
    async def never(payload: Any) -> Any:
        await asyncio.Event().wait()

    handler, watcher = await measured(never)
    with pytest.raises(RequestRefused):
        handler(request(target="/?%ff"))
    coming = handler(request())
    assert not isinstance(coming, Response)
    task = asyncio.ensure_future(coming)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert [status for _, status, _, _ in watcher.done] == [400, 499]
    assert watcher.open == 0
