"""ASGI applications over real sockets: requests, answers, and the lifespan."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from tests.server.applied import answering, applied, body, starlette, start
from tests.server.serving import Wire, exchange, request, serving, settled, until

from penstock.core.errors import ServerError
from penstock.server.asgi.application import AsgiHandler

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request

    from penstock.server.asgi.words import Receive, Scope, Send

# Requests and answers.


async def test_an_application_sees_the_request_as_it_was_sent() -> None:
    seen: dict[str, Any] = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            seen.update(scope)
            await send(start(204))
            await send(body())

    async with AsgiHandler(app, root_path="/root") as handler, serving(handler) as server:
        handler.server = server.addresses[0]
        async with Wire(server) as wire:
            await wire.ask(request("PATCH", "/a%20b/%C3%A9?c=d%20e", None, "X-One: 1 ", "X-ONE: 2"))
            client = wire.writer.get_extra_info("sockname")
        bound = server.addresses[0]
    assert seen["method"] == "PATCH"
    assert seen["path"] == "/a b/é"
    assert seen["raw_path"] == b"/a%20b/%C3%A9"
    assert seen["query_string"] == b"c=d%20e"
    assert seen["root_path"] == "/root"
    assert seen["headers"] == [(b"host", b"localhost"), (b"x-one", b"1"), (b"x-one", b"2")]
    assert (seen["client"], seen["server"]) == (client, bound)
    assert (seen["http_version"], seen["scheme"]) == ("1.1", "http")
    assert seen["asgi"] == {"version": "3.0", "spec_version": "2.4"}


async def test_a_body_comes_back() -> None:
    async def echo(asked: Request) -> Response:
        return Response(await asked.body(), 201, {"X-Path": asked.url.path}, "text/plain")

    async with applied(starlette(echo, "POST")) as server, Wire(server) as wire:
        for sent in (b"", b"hello", bytes(1 << 20)):
            answer = await wire.ask(request("POST", "/there", sent))
            assert (answer.status, answer.body, answer.headers["x-path"]) == (201, sent, "/there")


async def test_a_body_that_comes_slowly_is_read_as_it_comes() -> None:
    pieces: list[bytes] = []

    async def collect(asked: Request) -> Response:
        async for piece in asked.stream():
            pieces.append(piece)  # noqa: PERF401 - each as it comes
        return PlainTextResponse("done")

    async with applied(starlette(collect, "POST")) as server, Wire(server) as wire:
        await wire.send(request("POST", "/", None, "Transfer-Encoding: chunked"))
        for piece in (b"one", b"two"):
            await wire.send(b"3\r\n" + piece + b"\r\n")
            await until(lambda: piece in pieces)  # noqa: B023 - it is awaited here
        await wire.send(b"0\r\n\r\n")
        assert (await wire.answer()).body == b"done"
    assert b"".join(pieces) == b"onetwo"


async def test_a_large_upload_waits_for_a_slow_application() -> None:
    ready = asyncio.Event()

    async def digest(asked: Request) -> Response:
        sha = hashlib.sha256()
        await ready.wait()
        async for piece in asked.stream():
            sha.update(piece)
        return PlainTextResponse(sha.hexdigest())

    sent = bytes(range(256)) * (64 << 10)  # 16 MiB: more than the sockets hold
    async with (
        applied(starlette(digest, "POST"), body_bytes=None) as server,
        Wire(server) as wire,
    ):
        sending = asyncio.ensure_future(wire.send(request("POST", "/", sent)))
        await settled()
        assert not sending.done()
        ready.set()
        assert (await wire.answer()).body.decode() == hashlib.sha256(sent).hexdigest()
        await sending


async def test_a_body_that_is_too_large_is_refused_by_the_server() -> None:
    async def swallow(asked: Request) -> Response:
        return Response(await asked.body())

    async with applied(starlette(swallow, "POST"), body_bytes=1000) as server, Wire(server) as wire:
        await wire.send(request("POST", "/", None, "Transfer-Encoding: chunked"))
        await settled()
        await wire.send(b"800\r\n" + bytes(0x800) + b"\r\n")
        answer = await wire.answer()
    assert answer.status == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert "1000 bytes" in json.loads(answer.body)["detail"]


async def test_an_application_may_look_whether_the_client_is_still_there() -> None:
    """Starlette does so by cancelling `receive`."""

    async def look(asked: Request) -> Response:
        await asked.body()
        assert not await asked.is_disconnected()
        return PlainTextResponse("here")

    async with applied(starlette(look, "POST")) as server:
        assert (await exchange(server, request("POST", "/", b"x"))).body == b"here"


async def test_head_is_answered_without_a_body() -> None:
    async with (
        applied(answering(lambda: PlainTextResponse("hello"))) as server,
        Wire(server) as wire,
    ):
        await wire.send(request("HEAD"))
        answer = await wire.answer(bodiless=True)
        assert (answer.status, answer.headers["content-length"]) == (200, "5")
        assert (await wire.ask(request("GET"))).body == b"hello"


async def test_the_head_of_an_endless_answer_ends_the_application() -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[str]:
        try:
            while True:
                yield "more"
        finally:
            closed.set()

    app = answering(lambda: StreamingResponse(endless()))
    async with applied(app) as server, Wire(server) as wire:
        await wire.send(request("HEAD"))
        assert (await wire.answer(bodiless=True)).headers["transfer-encoding"] == "chunked"
        await asyncio.wait_for(closed.wait(), 10)
        await wire.send(request("HEAD"))
        assert (await wire.answer(bodiless=True)).status == 200


async def test_requests_of_one_connection_are_answered_in_their_order() -> None:
    async def echo(asked: Request) -> Response:
        return PlainTextResponse(asked.url.path)

    async with applied(starlette(echo)) as server, Wire(server) as wire:
        await wire.send(b"".join(request("GET", f"/{n}") for n in range(10)))
        assert [(await wire.answer()).body for _ in range(10)] == [b"/%d" % n for n in range(10)]


async def test_middleware_in_tasks_of_its_own_works() -> None:
    async def mark(asked: Request, call_next: Any) -> Response:
        answer: Response = await call_next(asked)
        answer.headers["X-Marked"] = "yes"
        return answer

    async def stream(asked: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield await asked.body()
            yield b"!"

        return StreamingResponse(pieces())

    app = starlette(stream, "POST", middleware=[Middleware(BaseHTTPMiddleware, dispatch=mark)])
    async with applied(app) as server:
        answer = await exchange(server, request("POST", "/", b"hello"))
    assert (answer.body, answer.headers["x-marked"]) == (b"hello!", "yes")


# Beginning and end.


async def test_the_state_of_the_lifespan_reaches_requests() -> None:
    events: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, str]]:
        events.append("up")
        yield {"greeting": "hello"}
        events.append("down")

    async def greet(asked: Request) -> Response:
        events.append("asked")
        return PlainTextResponse(asked.state.greeting)

    async with applied(starlette(greet, lifespan=lifespan)) as server:
        assert (await exchange(server, request())).body == b"hello"
    assert events == ["up", "asked", "down"]


async def test_an_application_that_cannot_start_says_why() -> None:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        raise ValueError("no database")
        yield

    with pytest.raises(ServerError, match=r"(?s)could not start: .*no database"):
        await AsgiHandler(answering(Response, lifespan=lifespan)).startup()


async def test_an_application_that_does_not_end_well_says_so() -> None:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        raise ValueError("still busy")

    handler = AsgiHandler(answering(Response, lifespan=lifespan))
    await handler.startup()
    with pytest.raises(ServerError, match=r"(?s)could not stop: .*still busy"):
        await handler.shutdown()
    await handler.shutdown()
