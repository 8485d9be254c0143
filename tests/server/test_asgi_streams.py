"""ASGI applications over real sockets: what is streamed, who leaves, and what fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from tests.server.applied import answering, applied, body, http, starlette, start
from tests.server.serving import Wire, exchange, request, settled, until

from penstock.server.asgi.words import CHUNKS, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from starlette.requests import Request

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


async def test_what_had_come_of_a_body_is_read_though_the_client_has_left() -> None:
    entered, gone = asyncio.Event(), asyncio.Event()
    heard: asyncio.Future[list[Message]] = asyncio.get_running_loop().create_future()

    async def respond(receive: Receive, send: Send) -> None:
        entered.set()
        await gone.wait()
        heard.set_result([await receive() for _ in range(3)])

    async with applied(http(respond)) as server:
        async with Wire(server) as wire:
            await wire.send(request("POST", "/", None, "Content-Length: 10") + b"12345")
            await entered.wait()
            await settled()
        await until(lambda: not server.connections)
        gone.set()
        piece, *rest = await asyncio.wait_for(heard, 10)
    assert piece == {"type": "http.request", "body": b"12345", "more_body": True}
    assert rest == [{"type": "http.disconnect"}] * 2


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
