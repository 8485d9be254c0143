"""Every limit of size and number."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.server.serving import Gate, Wire, echo, echo_later, exchange, request, serving, settled, until

from penstock.server.messages import Request, Response


async def refused(server_limits: dict[str, int], *parts: bytes) -> tuple[int, str]:
    """The status and detail for a request that comes in parts, after which the connection ends."""
    async with serving(echo_later, **server_limits) as server, Wire(server) as wire:
        for part in parts:
            await wire.send(part)
            await asyncio.sleep(0)
        answer = await wire.answer()
        assert await wire.closed() == b""
        return answer.status, json.loads(answer.body)["detail"]


async def test_a_target_over_its_limit_is_a_414() -> None:
    status, detail = await refused({"target_bytes": 100}, request("GET", "/" + "a" * 100))
    assert (status, detail) == (414, "the target is longer than 100 bytes")


async def test_a_target_of_just_its_limit_is_taken() -> None:
    async with serving(echo, target_bytes=100) as server:
        assert (await exchange(server, request("GET", "/" + "a" * 99))).status == 200


async def test_a_target_without_end_is_a_414() -> None:
    status, _ = await refused({"target_bytes": 100, "head_bytes": 200}, b"GET /", *[b"a" * 50] * 8)
    assert status == 414


async def test_headers_over_their_limit_are_a_431() -> None:
    status, detail = await refused({"head_bytes": 300}, request("GET", "/", None, "X: " + "a" * 300))
    assert (status, detail) == (431, "the headers are larger than 300 bytes")


@pytest.mark.parametrize("endless", [b"a" * 50, b"X-Y: " + b"a" * 43 + b"\r\n"])
async def test_a_head_without_end_is_a_431(endless: bytes) -> None:
    status, _ = await refused({"head_bytes": 300}, b"GET / HTTP/1.1\r\nX: a\r\n", *[endless] * 12)
    assert status == 431


async def test_too_many_headers_are_a_431() -> None:
    status, detail = await refused({"header_count": 10}, request("GET", "/", None, *["X: a"] * 10))
    assert (status, detail) == (431, "there are more than 10 headers")


async def test_many_small_heads_at_once_are_not_one_large_head() -> None:
    async with serving(echo, head_bytes=100, target_bytes=50) as server, Wire(server) as wire:
        await wire.send(request("GET", "/a") * 50 + request("GET", "/b")[:-1])
        for _ in range(50):
            assert (await wire.answer()).body == b"GET /a "
        await wire.send(b"\n")
        assert (await wire.answer()).body == b"GET /b "


@pytest.mark.parametrize("sent", ["at once", "in parts", "length alone"])
async def test_a_body_over_its_limit_is_a_413(sent: str) -> None:
    whole = request("POST", "/", b"a" * 101)
    head = whole[:-101]
    parts = {"at once": [whole], "in parts": [head, b"a" * 50, b"a" * 51], "length alone": [head]}
    status, detail = await refused({"body_bytes": 100}, *parts[sent])
    assert (status, detail) == (413, "the body is larger than 100 bytes")


async def test_a_body_of_just_its_limit_is_taken() -> None:
    async with serving(echo, body_bytes=100) as server:
        assert (await exchange(server, request("POST", "/", b"a" * 100))).status == 200


@pytest.mark.parametrize("count", [1, 3])
async def test_a_chunked_body_over_its_limit_is_a_413(count: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    status, _ = await refused(
        {"body_bytes": 100}, head, *[b"32\r\n" + b"a" * 50 + b"\r\n"] * count, b"65\r\n" + b"a" * 101
    )
    assert status == 413


async def test_a_chunked_body_that_is_too_large_at_once_is_a_413() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    status, _ = await refused({"body_bytes": 100}, head + b"65\r\n" + b"a" * 101 + b"\r\n")
    assert status == 413


async def test_a_body_that_nobody_wants_is_not_read_for_ever() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with (
        serving(lambda _: Response(200, [], b"fine"), body_bytes=1000) as server,
        Wire(server) as wire,
    ):
        assert (await wire.ask(head + b"1\r\na\r\n")).body == b"fine"
        await wire.send(b"7d0\r\n" + b"a" * 2000 + b"\r\n")
        assert await wire.closed() == b""


@pytest.mark.parametrize(
    "overhead", [b"1;" + b"x" * 400, b"0\r\nX: " + b"a" * 400], ids=["extension", "trailer"]
)
async def test_what_surrounds_a_body_has_the_limit_of_a_head(overhead: bytes) -> None:
    begun = asyncio.Event()

    async def handler(asked: Request) -> Response:
        async for _ in asked.stream():
            begun.set()
        return Response()

    async with serving(handler, head_bytes=300) as server, Wire(server) as wire:
        await wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        await begun.wait()
        assert (await wire.ask(overhead)).status == 431


async def test_a_connection_over_the_limit_is_a_503() -> None:
    async with serving(echo, connections=2) as server, Wire(server) as one, Wire(server) as two:
        await one.ask(request())
        await two.ask(request())
        async with Wire(server) as three:
            answer = await three.answer()
            assert (answer.status, answer.headers["connection"]) == (503, "close")
            await three.closed()
        await one.leave()
        await until(lambda: server.connections < 2)
        assert (await exchange(server, request())).status == 200


async def test_a_connection_ends_after_so_many_requests() -> None:
    async with serving(echo, requests=3) as server, Wire(server) as wire:
        answers = [await wire.ask(request()) for _ in range(3)]
        assert [answer.headers.get("connection") for answer in answers] == [None, None, "close"]
        assert await wire.closed() == b""


async def test_requests_that_wait_are_bounded() -> None:
    """A client that sends on and on is not read on and on."""
    gate = Gate()
    async with serving(gate, pipelined=4, body_bytes=None) as server, Wire(server) as wire:
        await wire.send(request("GET", "/0"))
        await until(lambda: gate.entered)
        blocked = asyncio.create_task(wire.send(request("GET", "/x", None, "X: " + "a" * 5000) * 4000))
        while True:  # until the client cannot send any more
            size = wire.writer.transport.get_write_buffer_size()
            await settled()
            if size and size == wire.writer.transport.get_write_buffer_size():
                break
        assert not blocked.done()
        gate.open.set()
        for _ in range(4001):
            assert (await wire.answer()).status == 200
        await blocked


async def test_limits_hold_for_the_last_request_as_well() -> None:
    async def handler(asked: Request) -> Response:
        return Response(200, [], await asked.body())

    async with serving(handler, requests=1, body_bytes=10) as server:
        assert (await exchange(server, request("POST", "/", b"a" * 11))).status == 413
