"""ASGI applications over real sockets: Starlette's, and small ones by hand."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from tests.server.serving import Wire, exchange, port_of, request, serving, settled, until
from tests.server.test_websockets import HANDSHAKE, dial
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from penstock.core.errors import ClientGone, ServerError
from penstock.server.asgi.application import AsgiHandler
from penstock.server.asgi.words import CHUNKS, AsgiApp, Message, Receive, Scope, Send
from penstock.server.server import Server

Endpoint = Callable[[Request], Any]


@asynccontextmanager
async def applied(app: AsgiApp, **options: Any) -> AsyncIterator[Server]:
    """A server of an application, with its lifespan."""
    async with AsgiHandler(app) as handler, serving(handler, **options) as server:
        yield server


def starlette(endpoint: Endpoint, *methods: str, **options: Any) -> Starlette:
    return Starlette(routes=[Route("/{rest:path}", endpoint, methods=methods or None)], **options)


def answering(make: Callable[[], Response], **options: Any) -> Starlette:
    """Starlette would call a plain function in a thread."""

    async def endpoint(_: Request) -> Response:
        return make()

    return starlette(endpoint, **options)


def websockets(endpoint: Callable[[WebSocket], Any]) -> Starlette:
    return Starlette(routes=[WebSocketRoute("/{rest:path}", endpoint)])


def http(respond: Callable[[Receive, Send], Any]) -> AsgiApp:
    """An application that knows only of requests."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        await respond(receive, send)

    return app


def start(status: int = 200, **headers: str) -> Message:
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": pairs}


def body(data: bytes = b"", *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


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
            pieces.append(piece)
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


# Streams.


async def test_what_is_streamed_arrives_as_it_is_made() -> None:
    made: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def pieces() -> AsyncIterator[bytes]:
        while piece := await made.get():
            yield piece

    app = answering(lambda: StreamingResponse(pieces(), media_type="text/event-stream"))
    async with applied(app) as server, Wire(server) as wire:
        await wire.send(request())
        await wire.reader.readuntil(b"\r\n\r\n")
        for piece in (b"data: 1\n\n", b"data: 2\n\n"):
            made.put_nowait(piece)
            assert await wire.reader.readuntil(b"\n\n\r\n") == b"9\r\n" + piece + b"\r\n"
        made.put_nowait(None)
        assert await wire.reader.readuntil(b"0\r\n\r\n") == b"0\r\n\r\n"


async def test_a_stream_waits_for_a_client_that_reads_slowly() -> None:
    made = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal made
        for _ in range(2000):
            made += 1
            yield bytes(16 << 10)

    app = answering(lambda: StreamingResponse(pieces()))
    async with applied(app) as server, Wire(server) as wire:
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await wire.send(request())
        await until(lambda: made)
        before = -1
        while made != before:  # the sockets fill, and then nothing moves
            before = made
            await settled()
        assert 0 < made < 1000
        wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert len((await wire.answer()).body) == 2000 * (16 << 10)


@pytest.mark.parametrize("idle", [True, False], ids=["idle", "sending"])
async def test_a_client_that_leaves_closes_the_generator(idle: bool) -> None:
    closed = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        try:
            yield b"first"
            while True:
                if idle:
                    await asyncio.Event().wait()
                yield bytes(16 << 10)
                await asyncio.sleep(0)
        finally:
            closed.set()

    app = answering(lambda: StreamingResponse(pieces()))
    async with applied(app) as server:
        async with Wire(server) as wire:
            await wire.send(request())
            await wire.reader.readuntil(b"first")
        await asyncio.wait_for(closed.wait(), 10)


async def test_chunks_handed_over_are_sent_after_the_application_is_done() -> None:
    ended = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        assert CHUNKS in scope["extensions"]
        asyncio.current_task().add_done_callback(lambda _: ended.set())  # type: ignore[union-attr]
        await send(start())
        await send({"type": CHUNKS, "chunks": pieces()})

    async def pieces() -> AsyncIterator[bytes]:
        await ended.wait()
        yield b"one"
        yield b"two"

    async with applied(app) as server, Wire(server) as wire:
        assert (await wire.ask(request())).body == b"onetwo"
        assert (await wire.ask(request())).body == b"onetwo"


async def test_chunks_handed_over_are_closed_when_the_client_leaves() -> None:
    closed = asyncio.Event()

    async def respond(receive: Receive, send: Send) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            try:
                yield b"first"
                await asyncio.Event().wait()
            finally:
                closed.set()

        await send(start())
        await send({"type": CHUNKS, "chunks": pieces()})

    async with applied(http(respond)) as server:
        async with Wire(server) as wire:
            await wire.send(request())
            await wire.reader.readuntil(b"first")
        await asyncio.wait_for(closed.wait(), 10)


# Who leaves, and what fails.


async def test_an_application_that_listens_hears_that_its_client_left() -> None:
    heard: list[Message] = []
    entered, told = asyncio.Event(), asyncio.Event()

    async def respond(receive: Receive, send: Send) -> None:
        await receive()
        entered.set()
        heard.append(await receive())
        with pytest.raises(OSError, match="left"):
            await send(start())
        heard.append(await receive())
        told.set()

    async with applied(http(respond)) as server:
        async with Wire(server) as wire:
            await wire.send(request())
            await entered.wait()
        await asyncio.wait_for(told.wait(), 10)
    assert heard == [{"type": "http.disconnect"}] * 2


async def test_an_application_that_does_not_listen_is_cancelled_when_its_client_leaves() -> None:
    entered, cancelled = asyncio.Event(), asyncio.Event()

    async def slow(asked: Request) -> Response:
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return Response()

    async with applied(starlette(slow)) as server:
        async with Wire(server) as wire:
            await wire.send(request())
            await entered.wait()
        await asyncio.wait_for(cancelled.wait(), 10)


async def test_a_client_that_leaves_in_its_body_is_heard() -> None:
    heard = asyncio.Event()

    async def respond(receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] != "http.disconnect":
            assert message["more_body"]
        heard.set()

    async with applied(http(respond)) as server:
        async with Wire(server) as wire:
            await wire.send(request("POST", "/", None, "Content-Length: 10") + b"12345")
            await settled()
        await asyncio.wait_for(heard.wait(), 10)


async def test_work_after_the_answer_holds_up_neither_the_answer_nor_the_next_request() -> None:
    finish, finished = asyncio.Event(), asyncio.Event()

    async def later() -> None:
        await finish.wait()
        finished.set()

    app = answering(lambda: PlainTextResponse("hello", background=BackgroundTask(later)))
    async with applied(app) as server:
        async with Wire(server) as wire:
            for _ in range(2):
                assert (await wire.ask(request())).body == b"hello"
        assert not finished.is_set()
        finish.set()
        await asyncio.wait_for(finished.wait(), 10)


async def test_after_the_answer_the_application_hears_of_the_end() -> None:
    heard: list[str] = []

    async def respond(receive: Receive, send: Send) -> None:
        await receive()
        listening = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        await send(start())
        await send(body(b"one", more=True))
        assert not listening.done()
        await send(body(b"two"))
        heard.append((await listening)["type"])
        heard.append((await receive())["type"])

    async with applied(http(respond)) as server:
        assert (await exchange(server, request())).body == b"onetwo"
    assert heard == ["http.disconnect"] * 2


async def test_what_still_goes_on_at_the_end_is_cancelled() -> None:
    cancelled = asyncio.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    app = answering(lambda: PlainTextResponse("hello", background=BackgroundTask(forever)))
    async with applied(app) as server:
        await exchange(server, request())
    assert cancelled.is_set()


async def test_an_exception_is_a_500_that_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def respond(receive: Receive, send: Send) -> None:
        raise ValueError("the secret")

    async with applied(http(respond)) as server, Wire(server) as wire:
        answer = await wire.ask(request("GET", "/there?token=1"))
        assert (answer.status, answer.headers["content-type"]) == (500, "application/problem+json")
        assert b"secret" not in answer.body
        assert (await wire.ask(request())).status == 500
    assert "the handler failed at GET /there" in caplog.text
    assert "token" not in caplog.text


async def test_an_exception_in_the_middle_of_an_answer_cuts_it(caplog: pytest.LogCaptureFixture) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        raise ValueError("broken")

    async with applied(answering(lambda: StreamingResponse(pieces()))) as server, Wire(server) as wire:
        await wire.send(request())
        received = await wire.closed()
    assert b"200 OK" in received
    assert not received.endswith(b"0\r\n\r\n")
    assert "broken" in caplog.text


async def test_an_exception_after_the_answer_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise ValueError("broken")

    app = answering(lambda: PlainTextResponse("fine", background=BackgroundTask(broken)))
    async with applied(app) as server:
        assert (await exchange(server, request())).body == b"fine"
        await until(lambda: "failed after its answer to GET /" in caplog.text)


@pytest.mark.parametrize(
    ("messages", "complaint"),
    [
        ([], "ended before its answer was complete"),
        ([start()], "ended before its answer was complete"),
        ([body()], "'http.response.body' is out of turn: the answer begins with http.response.start"),
        ([start(), start()], "'http.response.start' is out of turn: the answer has begun"),
        ([{"type": "http.response.unheard"}], "'http.response.unheard' is out of turn"),
        ([start(999), body()], "999 is no status"),
        ([start(200, x="a\r\nb"), body()], "line break"),
    ],
    ids=["nothing", "no body", "no start", "two starts", "unknown", "status", "header"],
)
async def test_an_answer_that_makes_no_sense_is_a_500(
    messages: list[Message], complaint: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def respond(receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    async with applied(http(respond)) as server:
        assert (await exchange(server, request())).status == 500
    assert complaint in caplog.text


@pytest.mark.parametrize("some", [b"", b"some"], ids=["no body", "half a body"])
async def test_an_answer_without_its_end_is_cut(some: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def respond(receive: Receive, send: Send) -> None:
        await send(start())
        await asyncio.sleep(0)
        await send(body(some, more=True))

    async with applied(http(respond)) as server, Wire(server) as wire:
        await wire.send(request())
        assert not (await wire.closed()).endswith(b"0\r\n\r\n")
    assert "ended before its answer was complete" in caplog.text


async def test_an_application_that_is_cancelled_answers_503() -> None:
    async def respond(receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    async with applied(http(respond)) as server:
        assert (await exchange(server, request())).status == 503


async def test_a_client_that_leaves_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    over = asyncio.Event()

    async def respond(receive: Receive, send: Send) -> None:
        try:
            await receive()
            await receive()
            await send(start())
        finally:
            over.set()

    async with applied(http(respond)) as server:
        async with Wire(server) as wire:
            await wire.send(request())
            await settled()
        await asyncio.wait_for(over.wait(), 10)
    assert [entry for entry in caplog.records if entry.levelno > logging.DEBUG] == []


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
        await AsgiHandler(answering(lambda: Response(), lifespan=lifespan)).startup()


async def test_an_application_that_does_not_end_well_says_so() -> None:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        raise ValueError("still busy")

    handler = AsgiHandler(answering(lambda: Response(), lifespan=lifespan))
    await handler.startup()
    with pytest.raises(ServerError, match=r"(?s)could not stop: .*still busy"):
        await handler.shutdown()
    await handler.shutdown()


# Websockets.


async def test_messages_go_both_ways() -> None:
    async def parrot(socket: WebSocket) -> None:
        await socket.accept()
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                break
            await socket.send({**message, "type": "websocket.send"})

    async with applied(websockets(parrot)) as server, dial(server) as client:
        for message in ("hello", "é" * 1000, b"\0\1", "", b"", "x" * 500_000):
            await client.send(message)
            assert await client.recv() == message


async def test_an_accepted_websocket_has_its_subprotocol_and_headers() -> None:
    seen: dict[str, Any] = {}

    async def choose(socket: WebSocket) -> None:
        seen.update(socket.scope)
        await socket.accept("two", [(b"X-Room", b"1")])
        await socket.send_text("in")
        await socket.close(3001, "enough")

    offered = [Subprotocol("one"), Subprotocol("two")]
    async with applied(websockets(choose)) as server:
        async with dial(server, "/room?a=b", subprotocols=offered) as client:
            assert client.subprotocol == "two"
            assert client.response is not None
            assert client.response.headers["X-Room"] == "1"
            assert await client.recv() == "in"
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (3001, "enough")
    assert (seen["scheme"], seen["subprotocols"], seen["query_string"]) == ("ws", ["one", "two"], b"a=b")


async def test_the_application_hears_how_the_client_closed() -> None:
    heard: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    async def listen(socket: WebSocket) -> None:
        await socket.accept()
        try:
            await socket.receive_text()
        except WebSocketDisconnect as left:
            heard.set_result((left.code, left.reason))

    async with applied(websockets(listen)) as server:
        async with dial(server) as client:
            await client.close(4000, "bye")
        assert await asyncio.wait_for(heard, 10) == (4000, "bye")


async def test_sending_to_a_client_that_left_is_an_oserror() -> None:
    raised: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            return
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        try:
            await send({"type": "websocket.send", "text": "hello?"})
        except OSError as error:
            raised.set_result(error)

    async with applied(app) as server:
        async with dial(server):
            pass
        assert isinstance(await asyncio.wait_for(raised, 10), ClientGone)


async def test_a_websocket_may_be_refused() -> None:
    async def refuse(socket: WebSocket) -> None:
        await socket.close()

    async with applied(websockets(refuse)) as server:
        with pytest.raises(InvalidStatus, match="403"):
            async with dial(server):
                pass


async def test_a_websocket_may_be_refused_with_an_answer() -> None:
    async def refuse(socket: WebSocket) -> None:
        await socket.send_denial_response(PlainTextResponse("who are you?", 401, {"X-Why": "name"}))

    async with applied(websockets(refuse)) as server, Wire(server) as wire:
        answer = await wire.ask(request("GET", "/", None, *HANDSHAKE))
        assert (answer.status, answer.headers["x-why"], answer.body) == (401, "name", b"who are you?")


async def test_a_path_that_nobody_serves_is_refused() -> None:
    async with applied(Starlette()) as server:
        with pytest.raises(InvalidStatus, match="403"):
            async with dial(server):
                pass


async def test_a_handshake_with_mistakes_reaches_no_application() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"

    async with applied(app) as server, Wire(server) as wire:
        assert (await wire.ask(request("GET", "/", None, *HANDSHAKE[:3]))).status == 400


async def test_an_exception_closes_the_websocket_with_1011(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(socket: WebSocket) -> None:
        await socket.accept()
        raise ValueError("broken")

    async with applied(websockets(fail)) as server, dial(server) as client:
        with pytest.raises(ConnectionClosed, match="1011"):
            await client.recv()
    assert "broken" in caplog.text


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"type": "websocket.send", "text": "early"}],
        [{"type": "websocket.accept", "headers": [(b"x", b"a\r\nb")]}],
        [{"type": "websocket.http.response.body"}],
    ],
    ids=["nothing", "send", "header", "body"],
)
async def test_a_websocket_that_is_not_accepted_rightly_is_a_500(
    messages: list[Message], caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            for message in messages:
                await send(message)

    async with applied(app) as server:
        with pytest.raises(InvalidStatus, match="500"):
            async with dial(server):
                pass
    assert "the handler failed" in caplog.text


async def test_a_drain_says_goodbye_to_websockets_and_waits_for_the_application() -> None:
    over = asyncio.Event()

    async def listen(socket: WebSocket) -> None:
        await socket.accept()
        async for _ in socket.iter_text():
            pass
        over.set()

    async with applied(websockets(listen)) as server, dial(server) as client:
        await until(lambda: server.connections)
        draining = asyncio.ensure_future(server.drain(10))
        with pytest.raises(ConnectionClosed, match="1001"):
            await client.recv()
        await draining
        assert over.is_set()


async def test_a_server_that_closes_cancels_the_application_of_a_websocket() -> None:
    entered, cancelled = asyncio.Event(), asyncio.Event()

    async def wait(socket: WebSocket) -> None:
        await socket.accept()
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with applied(websockets(wait)) as server, Wire(server) as wire:
        await wire.ask(request("GET", "/", None, *HANDSHAKE))
        await entered.wait()
        await server.close()
        assert cancelled.is_set()
        assert port_of(server)
