"""Answers as clients see them."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable
from email.utils import parsedate_to_datetime

import pytest
from tests.server.serving import Wire, echo, exchange, request, serving

from penstock.core.errors import ClientGone, RequestRefused
from penstock.server.messages import Handler, Request, Response
from penstock.testing.clock import FakeClock


def answering(response: Response) -> Handler:
    return lambda _: response


def answering_later(make: Callable[[], Response]) -> Handler:
    async def handler(_: Request) -> Response:
        return make()

    return handler


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def test_a_plain_answer_has_a_length_and_a_date() -> None:
    async with serving(echo, clock=FakeClock(1_800_000_000)) as server:
        answer = await exchange(server, request("GET", "/a"))
    assert (answer.status, answer.body) == (200, b"GET /a ")
    assert answer.headers == {
        "content-type": "text/plain",
        "content-length": "7",
        "date": "Fri, 15 Jan 2027 08:00:00 GMT",
    }


async def test_the_date_follows_the_clock() -> None:
    clock = FakeClock(1_800_000_000)
    async with serving(echo, clock=clock) as server, Wire(server) as wire:
        await wire.ask(request())
        clock.advance(30)
        answer = await wire.ask(request())
    assert parsedate_to_datetime(answer.headers["date"]).timestamp() == 1_800_000_030


async def test_an_answer_may_come_later() -> None:
    async with serving(answering_later(lambda: Response(201, [], b"made"))) as server:
        answer = await exchange(server, request())
    assert (answer.status, answer.body) == (201, b"made")


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_body_has_none_and_the_connection_goes_on(status: int) -> None:
    async with serving(answering(Response(status, [], b"ignored"))) as server, Wire(server) as wire:
        for _ in range(2):
            answer = await wire.ask(request())
            assert answer.status == status
            assert "content-length" not in answer.headers


async def test_head_tells_the_length_and_sends_nothing() -> None:
    async with serving(answering(Response(200, [], b"12345"))) as server, Wire(server) as wire:
        await wire.send(request("HEAD"))
        answer = await wire.answer(bodiless=True)
        assert answer.headers["content-length"] == "5"
        assert (await wire.ask(request())).body == b"12345"


async def test_head_may_tell_the_length_of_a_body_that_was_not_made() -> None:
    response = Response(200, [("Content-Length", "70")])
    async with serving(answering(response)) as server, Wire(server) as wire:
        await wire.send(request("HEAD"))
        assert (await wire.answer(bodiless=True)).headers["content-length"] == "70"


async def test_head_of_a_streamed_body_closes_what_would_have_made_it() -> None:
    closed = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
        finally:
            closed.append(True)

    body = endless()
    await anext(body)  # a generator that has not begun has nothing to close
    async with serving(answering(Response(200, [], body))) as server, Wire(server) as wire:
        await wire.send(request("HEAD"))
        answer = await wire.answer(bodiless=True)
    assert "content-length" not in answer.headers
    assert closed == [True]


async def test_a_streamed_answer_is_chunked_and_the_connection_goes_on() -> None:
    def handler(_: Request) -> Response:
        return Response(200, [], pieces(b"one", b"", b"two"))

    async with serving(handler) as server, Wire(server) as wire:
        for _ in range(2):
            answer = await wire.ask(request())
            assert answer.headers["transfer-encoding"] == "chunked"
            assert answer.body == b"onetwo"


async def test_a_streamed_answer_of_known_length_is_not_chunked() -> None:
    response = Response(200, [("Content-Length", "6")], pieces(b"one", b"two"))
    async with serving(answering(response)) as server:
        answer = await exchange(server, request())
    assert answer.body == b"onetwo"
    assert "transfer-encoding" not in answer.headers


@pytest.mark.parametrize("chunks", [(b"one",), (b"one", b"two", b"three")])
async def test_a_streamed_body_of_the_wrong_length_is_cut(
    chunks: tuple[bytes, ...], caplog: pytest.LogCaptureFixture
) -> None:
    response = Response(200, [("Content-Length", "6")], pieces(*chunks))
    async with serving(answering(response)) as server, Wire(server) as wire:
        await wire.send(request())
        assert len((await wire.closed()).partition(b"\r\n\r\n")[2]) <= 6
    assert "broke off" in caplog.text


async def test_a_body_that_breaks_off_never_looks_complete(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"one"
        raise RuntimeError("the disk is gone")

    async with serving(answering(Response(200, [], broken()))) as server, Wire(server) as wire:
        await wire.send(request())
        assert not (await wire.closed()).endswith(b"0\r\n\r\n")
    assert "the disk is gone" in caplog.text


async def test_a_client_of_http_1_0_gets_a_stream_until_the_connection_ends() -> None:
    def handler(_: Request) -> Response:
        return Response(200, [], pieces(b"one", b"two"))

    async with serving(handler) as server, Wire(server) as wire:
        await wire.send(request("GET", "/", None, "Connection: keep-alive", version="1.0"))
        head, _, body = (await wire.closed()).partition(b"\r\n\r\n")
    assert body == b"onetwo"
    assert b"chunked" not in head
    assert b"Connection: close" in head


async def test_a_large_body_comes_whole() -> None:
    body = bytes(range(256)) * 4096
    async with serving(answering(Response(200, [], body))) as server:
        assert (await exchange(server, request())).body == body


async def test_a_header_of_the_framing_is_the_servers_alone() -> None:
    headers = [("Content-Length", "1"), ("Transfer-Encoding", "chunked"), ("connection", "keep-alive")]
    async with serving(answering(Response(200, headers, b"abc"))) as server:
        answer = await exchange(server, request())
    assert answer.body == b"abc"
    assert "transfer-encoding" not in answer.headers


async def test_a_handler_may_end_the_connection_and_say_the_date() -> None:
    headers = [("Connection", "close"), ("Date", "then")]
    async with serving(answering(Response(200, headers, b"bye"))) as server, Wire(server) as wire:
        answer = await wire.ask(request())
        assert (answer.headers["connection"], answer.headers["date"]) == ("close", "then")
        assert await wire.closed() == b""


@pytest.mark.parametrize(
    "response",
    [
        Response(200, [("X", "a\r\nSet-Cookie: b=c")]),
        Response(200, [("X\r\nY", "a")]),
        Response(200, [("X Y", "a")]),
        Response(200, [("", "a")]),
        Response(200, [("X", "\0")]),
        Response(200, [("X", "€")]),
        Response(199),
        Response(600),
        Response(200, [("X", 1)]),  # type: ignore[list-item]
        Response(200, [(["X"], "1")]),  # type: ignore[list-item]
        Response("200"),  # type: ignore[arg-type]
    ],
)
async def test_an_answer_that_cannot_be_sent_is_a_500_and_logged(
    response: Response, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(answering(response)) as server, Wire(server) as wire:
        for _ in range(2):  # and the connection goes on
            answer = await wire.ask(request("GET", "/where"))
            assert answer.status == 500
            assert "set-cookie" not in answer.headers
    assert "the answer to GET /where cannot be sent" in caplog.text


async def test_many_different_headers_are_all_sent_right() -> None:
    """More than are remembered, and some too large to be."""

    def handler(asked: Request) -> Response:
        return Response(200, [("X-Path", asked.path * int(asked.query))])

    async with serving(handler) as server, Wire(server) as wire:
        for number in range(1100):
            answer = await wire.ask(request("GET", f"/{number}?{1 + 1000 * (number % 2)}"))
            assert answer.headers["x-path"] == f"/{number}" * (1 + 1000 * (number % 2))


@pytest.mark.parametrize("later", [False, True])
async def test_a_handler_that_raises_is_a_500_without_internals(
    later: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> Response:
        raise RuntimeError("the password is tiger")

    handler = answering_later(fails) if later else lambda _: fails()
    async with serving(handler) as server, Wire(server) as wire:
        for _ in range(2):
            answer = await wire.ask(request("GET", "/where?token=secret"))
            assert answer.status == 500
            assert answer.headers["content-type"] == "application/problem+json"
            assert json.loads(answer.body) == {"title": "Internal Server Error", "status": 500}
    record = caplog.records[0]
    assert (record.name, record.levelno) == ("penstock.server", logging.ERROR)
    assert "the handler failed at GET /where" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("later", [False, True])
async def test_a_handler_that_returns_no_response_is_a_500(
    later: bool, caplog: pytest.LogCaptureFixture
) -> None:
    nothing: Handler = answering_later(lambda: None) if later else lambda _: None  # type: ignore[arg-type,return-value]
    async with serving(nothing) as server:
        assert (await exchange(server, request())).status == 500
    assert "the handler failed" in caplog.text


@pytest.mark.parametrize("later", [False, True])
async def test_a_handler_may_refuse_with_a_status_of_its_own(
    later: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def refuses() -> Response:
        raise RequestRefused(405, "only GET is allowed", headers=[("Allow", "GET")])

    handler = answering_later(refuses) if later else lambda _: refuses()
    async with serving(handler) as server:
        answer = await exchange(server, request("POST", "/", b""))
    assert (answer.status, answer.headers["allow"]) == (405, "GET")
    assert json.loads(answer.body) == {
        "title": "Method Not Allowed",
        "status": 405,
        "detail": "only GET is allowed",
    }
    assert caplog.text == ""


async def test_a_client_that_is_gone_is_nothing_to_log(caplog: pytest.LogCaptureFixture) -> None:
    def gone(_: Request) -> Response:
        raise ClientGone("it left")

    async with serving(gone) as server:
        await exchange(server, request())
    assert caplog.text == ""


async def test_another_handler_answers_from_the_next_request_on() -> None:
    async with serving(answering(Response(200, [], b"old"))) as server, Wire(server) as wire:
        assert (await wire.ask(request())).body == b"old"
        server.handler = answering(Response(200, [], b"new"))
        assert (await wire.ask(request())).body == b"new"
