"""Bodies that are large, late, encoded, or not wanted."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import brotli
import pytest
from tests.server.serving import (
    Gate,
    Wire,
    echo,
    echo_later,
    exchange,
    port_of,
    request,
    serving,
    settled,
    until,
)

from penstock.server.messages import Request, Response

LARGE_BYTES = 100 << 20


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


ENCODERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": lambda data: gzip.compress(data[:10]) + gzip.compress(data[10:]),  # two members
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
    "br": brotli.compress,
    "identity": lambda data: data,
}


def encoded(body: bytes, coding: str) -> bytes:
    return request("POST", "/", body, f"Content-Encoding: {coding}")


@pytest.mark.parametrize("coding", ENCODERS)
@pytest.mark.parametrize("size", [1, 100_000, 1 << 20])
async def test_an_encoded_body_is_read_decoded(coding: str, size: int) -> None:
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    async with serving(echo_later) as server, Wire(server) as wire:
        for _ in range(2):
            answer = await wire.ask(encoded(ENCODERS[coding](body), coding))
            assert answer.body == b"POST / " + body


@pytest.mark.parametrize("coding", ENCODERS)
async def test_an_encoded_body_may_come_byte_by_byte(coding: str) -> None:
    data = encoded(ENCODERS[coding](b"a" * 1000 + b"b"), coding)
    async with serving(echo_later) as server, Wire(server) as wire:
        for at in range(len(data)):
            await wire.send(data[at : at + 1])
        assert (await wire.answer()).body == b"POST / " + b"a" * 1000 + b"b"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
async def test_a_small_body_that_is_large_inside_is_a_413(coding: str) -> None:
    bomb = ENCODERS[coding](bytes(16 << 20))
    async with serving(echo_later, body_bytes=1 << 20) as server:
        tracemalloc.start()
        try:
            answer = await exchange(server, encoded(bomb, coding))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert answer.status == 413
    assert json.loads(answer.body)["detail"] == "the decoded body is larger than 1048576 bytes"
    assert peak < 8 << 20


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
@pytest.mark.parametrize("fault", ["nonsense", "cut off", "followed by more"])
async def test_a_body_that_cannot_be_decoded_is_a_400(coding: str, fault: str) -> None:
    whole = ENCODERS[coding](b"hello, hello")
    bodies = {
        "nonsense": b"\xff\xfenonsense",
        "cut off": whole[:-3],
        "followed by more": whole + b"more",
    }
    async with serving(echo_later) as server, Wire(server) as wire:
        answer = await wire.ask(encoded(bodies[fault], coding))
        assert answer.status == 400
        assert coding in json.loads(answer.body)["detail"]
        assert (await wire.ask(request())).status == 200


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
async def test_an_empty_body_needs_no_decoding(coding: str) -> None:
    async with serving(echo_later) as server:
        assert (await exchange(server, encoded(b"", coding))).body == b"POST / "


@pytest.mark.parametrize("coding", ["zstd", "gzip, br", "gzip, gzip"])
async def test_a_coding_that_is_not_known_is_a_415_that_names_those_that_are(coding: str) -> None:
    async with serving(echo_later) as server:
        answer = await exchange(server, encoded(b"abc", coding))
    assert (answer.status, answer.headers["accept-encoding"]) == (415, "br, gzip, deflate")


async def test_a_body_is_there_when_it_came_with_its_head() -> None:
    async with serving(echo) as server:
        assert (await exchange(server, request("POST", "/", b"abc"))).body == b"POST / abc"


async def test_a_chunked_body_is_there_when_it_came_with_its_head() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with serving(echo) as server:
        answer = await exchange(server, head + b"3\r\nabc\r\n2;name=value\r\nde\r\n0\r\n\r\n")
    assert answer.body == b"POST / abcde"


async def test_a_body_that_comes_later_is_waited_for() -> None:
    gate = Gate()

    async def handler(asked: Request) -> Response:
        assert asked.body_now is None
        await gate(asked)
        return Response(200, [], await asked.body())

    async with serving(handler) as server, Wire(server) as wire:
        await wire.send(request("POST", "/", b"abcdef")[:-4])
        await until(lambda: gate.entered)
        gate.open.set()
        await wire.send(b"cdef")
        assert (await wire.answer()).body == b"abcdef"


async def test_a_client_that_waits_is_told_to_go_on_when_the_body_is_wanted() -> None:
    async with serving(echo_later) as server, Wire(server) as wire:
        await wire.send(request("POST", "/", b"abc", "Expect: 100-continue")[:-3])
        assert (await wire.answer()).status == 100
        await wire.send(b"abc")
        assert (await wire.answer()).body == b"POST / abc"
        assert (await wire.ask(request("POST", "/", b"de"))).body == b"POST / de"


async def test_a_client_that_waits_in_vain_gets_the_answer_instead() -> None:
    async with serving(lambda _: Response(403)) as server, Wire(server) as wire:
        answer = await wire.ask(request("POST", "/", b"abc", "Expect: 100-continue")[:-3])
        assert (answer.status, answer.headers["connection"]) == (403, "close")
        assert await wire.closed() == b""


async def test_a_client_that_did_not_wait_is_not_told_to() -> None:
    async with serving(echo_later) as server:
        answer = await exchange(server, request("POST", "/", b"abc", "Expect: 100-continue"))
    assert answer.body == b"POST / abc"


async def test_a_body_that_is_too_large_is_refused_before_it_is_sent() -> None:
    async with serving(echo_later, body_bytes=10) as server:
        answer = await exchange(server, request("POST", "/", b"a" * 11, "Expect: 100-continue")[:-11])
    assert answer.status == 413


async def test_a_body_that_nobody_wants_does_not_end_the_connection() -> None:
    async with serving(lambda _: Response(200, [], b"fine")) as server, Wire(server) as wire:
        for _ in range(3):
            body = b"a" * 100_000
            await wire.send(request("POST", "/", body)[: -len(body)])
            assert (await wire.answer()).body == b"fine"
            await wire.send(body)


async def test_the_rest_of_a_body_that_was_read_in_part_is_thrown_away() -> None:
    async def handler(asked: Request) -> Response:
        if asked.method == "POST":
            async for chunk in asked.stream():
                return Response(200, [], chunk[:1])
        return Response(200, [], b"next")

    async with serving(handler) as server, Wire(server) as wire:
        body = b"a" * 2_000_000
        await wire.send(request("POST", "/", body) + request())
        assert (await wire.answer()).body == b"a"
        assert (await wire.answer()).body == b"next"


async def test_a_body_is_streamed_once_only(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(asked: Request) -> Response:
        async for _ in asked.stream():
            pass
        async for _ in asked.stream():
            pass
        return Response()

    async with serving(handler) as server:
        assert (await exchange(server, encoded(gzip.compress(b"abc"), "gzip"))).status == 500
    assert "comes only once" in caplog.text


async def test_who_does_not_read_is_not_sent_more() -> None:
    """The socket is read no further while the handler does not take what came."""
    gate = Gate()

    async def handler(asked: Request) -> Response:
        await gate(asked)
        return Response(200, [], b"%d" % len(await asked.body()))

    body = bytes(20 << 20)
    async with serving(handler, body_bytes=None) as server, Wire(server) as wire:
        sending = asyncio.create_task(wire.send(request("POST", "/", body)))
        await until(lambda: gate.entered)
        tracemalloc.start()
        try:
            for _ in range(100):
                await asyncio.sleep(0)
            grown = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert not sending.done()
        assert grown < 4 << 20
        gate.open.set()
        assert (await wire.answer()).body == b"%d" % len(body)
        await sending


async def chunks(count: int, size: int) -> AsyncIterator[bytes]:
    for number in range(count):
        yield number.to_bytes(4, "big") * (size // 4)


@pytest.mark.slow
async def test_100_megabytes_stream_in_and_out_in_bounded_memory() -> None:
    """Both ways at once: each chunk that comes is sent back."""

    def handler(asked: Request) -> Response:
        return Response(200, [], asked.stream())

    size, count = 1 << 18, LARGE_BYTES >> 18
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % LARGE_BYTES
    sent, received = hashlib.sha256(), hashlib.sha256()
    async with serving(handler, body_bytes=None) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))

        async def send() -> None:
            writer.write(head)
            async for chunk in chunks(count, size):
                sent.update(chunk)
                writer.write(chunk)
                await writer.drain()

        tracemalloc.start()
        try:
            sending = asyncio.create_task(send())
            assert b"chunked" in await reader.readuntil(b"\r\n\r\n")
            while length := int(await reader.readline(), 16):
                left = length
                while left:
                    data = await reader.read(left)
                    left -= len(data)
                    received.update(data)
                await reader.readexactly(2)
            await sending
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        writer.close()
        await writer.wait_closed()
    assert received.digest() == sent.digest()
    assert peak < 16 << 20


@pytest.mark.slow
async def test_a_body_of_100_megabytes_is_taken_whole_when_the_limit_allows_it() -> None:
    async def handler(asked: Request) -> Response:
        return Response(200, [], hashlib.sha256(await asked.body()).hexdigest().encode())

    body = b"0123456789" * (LARGE_BYTES // 10)
    async with serving(handler, body_bytes=LARGE_BYTES) as server:
        answer = await exchange(server, request("POST", "/", body))
    assert answer.body.decode() == hashlib.sha256(body).hexdigest()


async def test_a_client_that_reads_slowly_holds_the_stream_back() -> None:
    made = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal made
        while True:
            made += 1
            yield bytes(65536)

    async with serving(lambda _: Response(200, [], endless())) as server, Wire(server) as wire:
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await wire.send(request())
        await until(lambda: made)
        before = -1
        while before != made:  # the buffers between fill up, then nothing moves
            before = made
            await settled()
        assert made * 65536 < 64 << 20
        wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
        await until(lambda: made > before)
