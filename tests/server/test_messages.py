"""Requests as handlers see them, without a server."""

from __future__ import annotations

import pytest

from penstock.server.messages import Peer, Request, Section


def asked(target: bytes, *headers: tuple[bytes, bytes]) -> Request:
    return Request("GET", target, Section(headers))


def test_a_path_is_decoded_and_the_query_is_left_alone() -> None:
    request = asked(b"/caf%C3%A9/a%2Fb?x=%20&y")
    assert request.path == "/café/a/b"
    assert request.raw_path == "/caf%C3%A9/a%2Fb"
    assert request.query == "x=%20&y"
    assert request.target == "/caf%C3%A9/a%2Fb?x=%20&y"


def test_a_path_that_is_no_utf_8_has_replacement_characters() -> None:
    assert asked(b"/%ff").path == "/�"


@pytest.mark.parametrize(
    ("target", "path", "query", "host"),
    [
        (b"http://one.example:81/a?b=c", "/a", "b=c", "one.example:81"),
        (b"http://me:secret@one.example/a", "/a", "", "one.example"),
        (b"http://one.example", "/", "", "one.example"),
        (b"http://one.example?b=c", "/", "b=c", "one.example"),
        (b"/see?at=http://one.example/a", "/see", "at=http://one.example/a", "two.example"),
        (b"/a?b?c", "/a", "b?c", "two.example"),
        (b"*", "*", "", "two.example"),
    ],
)
def test_every_form_of_target_is_understood(target: bytes, path: str, query: str, host: str) -> None:
    request = asked(target, (b"Host", b"two.example"))
    assert (request.path, request.query, request.host) == (path, query, host)


def test_headers_are_found_in_any_case_and_repeated_ones_are_lists() -> None:
    request = asked(b"/", (b"X-One", b"1"), (b"ACCEPT", b"a/b \t"), (b"x-one", b"2"), (b"X-oNE", b"3"))
    assert request.fields == {"x-one": ["1", "2", "3"], "accept": "a/b"}
    assert request.header("x-one") == "1, 2, 3"
    assert request.header("accept") == "a/b"
    assert request.header("missing", "none") == "none"


def test_a_header_of_bytes_beyond_ascii_is_latin_1() -> None:
    assert asked(b"/", (b"X", b"caf\xe9")).header("x") == "café"


async def test_a_body_that_is_there_can_be_had_in_every_way() -> None:
    request = Request("POST", b"/", body=b"abc")
    assert request.body_now == b"abc"
    assert await request.body() == b"abc"
    assert [chunk async for chunk in request.stream()] == [b"abc"]


async def test_no_body_is_an_empty_one() -> None:
    request = asked(b"/")
    assert request.body_now == b""
    assert [chunk async for chunk in request.stream()] == []


def test_what_is_shown_of_a_request_keeps_the_query_back() -> None:
    request = Request("GET", b"/login?token=secret", peer=Peer("10.0.0.1", 7, "https"))
    assert repr(request) == "<Request GET /login>"
    assert request.scheme == "https"
