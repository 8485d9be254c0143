"""Answers that are compressed for who can read it."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator

import brotli
import pytest
from tests.server.serving import Answer, Wire, exchange, request, serving

from penstock.server.codings import preferred
from penstock.server.messages import Request, Response

DECODERS = {"gzip": gzip.decompress, "deflate": zlib.decompress, "br": brotli.decompress, "": bytes}
TEXT = b"all work and no play makes a dull boy; " * 100
LARGE = TEXT * 100


async def answered(response: Response, accept: str | None, *, method: str = "GET") -> Answer:
    headers = [f"Accept-Encoding: {accept}"] if accept is not None else []
    async with serving(lambda _: response, compress_from_bytes=1000) as server, Wire(server) as wire:
        await wire.send(request(method, "/", None, *headers))
        return await wire.answer(bodiless=method == "HEAD")


def text(
    body: bytes | AsyncIterator[bytes] = TEXT,
    *headers: tuple[str, str],
    content_type: str = "text/plain",
) -> Response:
    return Response(200, [("Content-Type", content_type), *headers], body)


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("br", "br"),
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip;q=1.0, br;q=0.5", "gzip"),
        ("GZIP", "gzip"),
        ("*", "br"),
        ("*, br;q=0", "gzip"),
        ("gzip;q=0", ""),
        ("gzip; q=0.5", "gzip"),
        ("identity", ""),
        ("zstd", ""),
        ("gzip;q=nonsense", ""),
        ("", ""),
    ],
)
async def test_the_coding_is_the_one_that_the_client_likes_best(accept: str, coding: str) -> None:
    assert preferred(accept) == coding
    for body in (TEXT, LARGE):  # whole, and in pieces
        answer = await answered(text(body), accept)
        assert answer.headers.get("content-encoding", "") == coding
        assert answer.headers["vary"] == "Accept-Encoding"
        assert DECODERS[coding](answer.body) == body
        assert not coding or len(answer.body) < len(body) / 5


async def test_who_does_not_ask_gets_it_plain() -> None:
    answer = await answered(text(), None)
    assert (answer.body, answer.headers.get("content-encoding")) == (TEXT, None)


@pytest.mark.parametrize("coding", ["br", "gzip", "deflate"])
async def test_each_chunk_of_a_stream_can_be_read_when_it_comes(coding: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one, "
        yield b"two"

    answer = await answered(text(pieces()), coding)
    assert answer.headers["transfer-encoding"] == "chunked"
    assert DECODERS[coding](answer.body) == b"one, two"


@pytest.mark.parametrize(
    "response",
    [
        text(TEXT[:999]),
        text(content_type="image/png"),
        text(content_type="application/octet-stream"),
        text(content_type="text/event-stream"),
        text(TEXT, ("Content-Encoding", "zstd")),
        text(TEXT, ("Cache-Control", "private, no-transform")),
        Response(200, [], TEXT),
        Response(206, [("Content-Type", "text/plain")], TEXT),
    ],
    ids=["small", "picture", "bytes", "events", "encoded", "no-transform", "no type", "part"],
)
async def test_what_gains_nothing_or_must_not_is_left_alone(response: Response) -> None:
    answer = await answered(response, "gzip")
    assert answer.body == response.body
    assert "vary" not in answer.headers


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=utf-8",
        "application/problem+json",
        "image/svg+xml",
        "TEXT/HTML",
        "a/b+xml",
    ],
)
async def test_text_of_every_type_is_compressed(content_type: str) -> None:
    answer = await answered(text(content_type=content_type), "gzip")
    assert answer.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("given", "sent"),
    [("Accept", "Accept, Accept-Encoding"), ("accept-encoding", "accept-encoding"), ("*", "*")],
)
async def test_what_an_answer_varies_by_is_kept(given: str, sent: str) -> None:
    assert (await answered(text(TEXT, ("Vary", given)), "gzip")).headers["vary"] == sent


async def test_a_strong_tag_becomes_a_weak_one() -> None:
    assert (await answered(text(TEXT, ("ETag", '"a"')), "gzip")).headers["etag"] == 'W/"a"'
    assert (await answered(text(TEXT, ("ETag", 'W/"a"')), "gzip")).headers["etag"] == 'W/"a"'
    assert (await answered(text(TEXT, ("ETag", '"a"')), None)).headers["etag"] == '"a"'


async def test_a_length_of_the_plain_body_is_not_sent_with_the_other() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield TEXT

    answer = await answered(text(pieces(), ("Content-Length", str(len(TEXT)))), "gzip")
    assert gzip.decompress(answer.body) == TEXT


async def test_head_has_the_headers_of_get() -> None:
    answer = await answered(text(), "gzip", method="HEAD")
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < len(TEXT)


async def test_nothing_is_compressed_unless_the_server_was_told_to() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield TEXT

    def handler(asked: Request) -> Response:
        return text(pieces() if asked.path == "/stream" else LARGE if asked.path == "/large" else TEXT)

    async with serving(handler) as server:
        for path, body in (("/", TEXT), ("/large", LARGE), ("/stream", TEXT)):
            answer = await exchange(server, request("GET", path, None, "Accept-Encoding: gzip"))
            assert answer.body == body
            assert "vary" not in answer.headers


async def test_others_are_served_while_a_large_answer_is_compressed() -> None:
    served = 0

    def handler(asked: Request) -> Response:
        nonlocal served
        served += 1
        return text(LARGE * 20) if asked.path == "/large" else text(b"small")

    async with (
        serving(handler, compress_from_bytes=1000) as server,
        Wire(server) as large,
        Wire(server) as small,
    ):
        await large.send(request("GET", "/large", None, "Accept-Encoding: gzip"))
        while served == 0:
            await small.ask(request())
        await small.ask(request())
        assert gzip.decompress((await large.answer()).body) == LARGE * 20
