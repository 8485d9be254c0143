"""What is no request, or tries to be two: 400 and the connection ends."""

from __future__ import annotations

import json

import pytest
from tests.server.serving import Gate, Wire, echo, echo_later, exchange, request, serving, until

from penstock.server.messages import Request, Response

HOST = b"Host: localhost\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

MALFORMED = {
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
    "words": b"hello server\r\n\r\n",
    "unknown method": b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n",
    "method in lower case": b"get / HTTP/1.1\r\n" + HOST + b"\r\n",
    "target without slash": b"GET a HTTP/1.1\r\n" + HOST + b"\r\n",
    "space in the target": b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n",
    "raw byte in the target": b"GET /caf\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n",
    "the same host twice": b"GET / HTTP/1.1\r\nHost: a\r\nHOST: a\r\n\r\n",
    "host with a path": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "host with a user": b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "host with a space": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "space before the colon": b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "header without name": b"GET / HTTP/1.1\r\n" + HOST + b": a\r\n\r\n",
    "header without colon": b"GET / HTTP/1.1\r\n" + HOST + b"a\r\n\r\n",
    "folded header": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n",
    "null in a header": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n",
    "bare CR in a header": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\rb\r\n\r\n",
    "bare LF": b"GET / HTTP/1.1\nHost: a\n\n",
    "length that is no number": POST + b"Content-Length: ten\r\n\r\n",
    "negative length": POST + b"Content-Length: -1\r\n\r\n",
    "length with a plus": POST + b"Content-Length: +1\r\n\r\na",
    "length beyond numbers": POST + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "two lengths": POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "the same length twice": POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
    "list of lengths": POST + b"Content-Length: 1, 1\r\n\r\na",
    "length and chunked": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "chunked, but not at last": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "unknown transfer coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked in HTTP/1.0": CHUNKED.replace(b"1.1", b"1.0") + b"0\r\n\r\n",
    "chunk size that is no number": CHUNKED + b"g\r\n",
    "chunk size in hexadecimal notation": CHUNKED + b"0x1\r\na\r\n0\r\n\r\n",
    "chunk size beyond numbers": CHUNKED + b"fffffffffffffffff1\r\n",
    "chunk longer than it says": CHUNKED + b"1\r\nab\r\n0\r\n\r\n",
    "chunk without line break": CHUNKED + b"1\r\na0\r\n\r\n",
    "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
async def test_what_is_malformed_is_a_400_and_the_end(data: bytes) -> None:
    async with serving(echo_later) as server, Wire(server) as wire:
        answer = await wire.ask(data)
        assert answer.status == 400
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["connection"] == "close"
        document = json.loads(answer.body)
        assert (document["title"], document["status"]) == ("Bad Request", 400)
        assert document["detail"]
        assert await wire.closed() == b""


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
async def test_what_is_malformed_never_reaches_the_handler_as_two_requests(data: bytes) -> None:
    """Whatever follows it may be what an intermediary took for its body."""
    seen: list[str] = []

    def handler(asked: Request) -> Response:
        seen.append(asked.path)
        return Response()

    async with serving(handler) as server, Wire(server) as wire:
        await wire.send(data + b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n")
        await wire.closed()
    assert "/smuggled" not in seen


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505),
        (b"GET /\r\n\r\n", 505),
        (b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n", 501),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (POST + b"Expect: tea\r\nContent-Length: 2\r\n\r\na", 417),
    ],
)
async def test_what_is_not_spoken_here_is_told_so(data: bytes, status: int) -> None:
    async with serving(echo_later) as server, Wire(server) as wire:
        assert (await wire.ask(data)).status == status
        assert await wire.closed() == b""


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:80", "a.example.", "[::1]", "[::1]:80", "127.0.0.1:1", "", "b\t"]
)
async def test_every_right_host_is_taken(host: str) -> None:
    async with serving(echo) as server:
        assert (await exchange(server, f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())).status == 200


async def test_answers_that_are_owed_come_before_the_400() -> None:
    gate = Gate()
    async with serving(gate) as server, Wire(server) as wire:
        await wire.send(request("GET", "/1") + request("GET", "/2") + b"garbage\r\n\r\n")
        await until(lambda: gate.entered)
        gate.open.set()
        answers = [await wire.answer() for _ in range(3)]
        assert await wire.closed() == b""
    assert [(answer.status, answer.body[:2]) for answer in answers[:2]] == [(200, b"/1"), (200, b"/2")]
    assert answers[2].status == 400


async def test_a_chunk_that_goes_wrong_later_is_told_to_who_reads_the_body() -> None:
    async with serving(echo_later) as server, Wire(server) as wire:
        await wire.send(CHUNKED + b"3\r\nabc\r\n")
        await wire.send(b"nonsense\r\n")
        assert (await wire.answer()).status == 400
        assert await wire.closed() == b""


async def test_trailers_are_no_headers_of_this_request_nor_of_the_next() -> None:
    seen: list[object] = []

    async def handler(asked: Request) -> Response:
        await asked.body()
        seen.append(asked.fields)
        return Response()

    body = b"1\r\na\r\n0\r\nX-Trailer: 1\r\nAuthorization: me\r\n\r\n"
    async with serving(handler) as server, Wire(server) as wire:
        await wire.send(CHUNKED + body + request())
        await wire.answer()
        await wire.answer()
    assert seen == [{"host": "localhost", "transfer-encoding": "chunked"}, {"host": "localhost"}]


async def test_an_offer_of_http_2_is_declined_by_going_on() -> None:
    offer = (
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
    )
    async with serving(echo) as server, Wire(server) as wire:
        await wire.send(request("POST", "/a", b"abc", *offer) + request("GET", "/b"))
        assert (await wire.answer()).body == b"POST /a abc"
        assert (await wire.answer()).body == b"GET /b "
