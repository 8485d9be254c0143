"""Headers of one connection: read once while they stay the same, and never taken for others."""

from __future__ import annotations

import pytest

from penstock.core.errors import RequestRefused
from penstock.kinds.http.payload import payload_of
from penstock.server.limits import Limits
from penstock.server.messages import Peer, Request
from penstock.server.reading import RequestReader


class Heard:
    """Keeps what a reader finds."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.reader = RequestReader(self, Limits(header_count=3), Peer())

    def arrived(self, request: Request) -> None:
        self.requests.append(request)

    def upgrading(self, request: Request, rest: bytes) -> None:
        raise AssertionError("no websocket was asked for")

    def body_wanted(self) -> None:
        raise AssertionError("no body is kept back")

    def body_taken(self) -> None:
        raise AssertionError("no body was taken")

    def feed(self, *lines: str, version: str = "1.1") -> Request:
        head = "\r\n".join([f"GET / HTTP/{version}", *lines, "", ""])
        self.reader.feed(head.encode("latin-1"))
        return self.requests[-1]


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_requests_that_say_the_same_share_a_section(heard: Heard) -> None:
    first = heard.feed("Host: a", "X-One: 1")
    assert heard.feed("Host: a", "X-One: 1").section is first.section


@pytest.mark.parametrize(
    "lines", [("Host: a", "X-One: 2"), ("Host: a",), ("X-One: 1", "Host: a"), ("host: a", "X-One: 1")]
)
def test_requests_that_say_something_else_have_their_own(heard: Heard, lines: tuple[str, ...]) -> None:
    heard.feed("Host: a", "X-One: 1")
    expected = dict(line.lower().split(": ") for line in lines)
    assert heard.feed(*lines).fields == expected
    assert heard.feed("Host: a", "X-One: 1").fields == {"host": "a", "x-one": "1"}


def test_what_becomes_of_one_payload_is_not_seen_in_the_next(heard: Heard) -> None:
    lines = ("Host: a", "X-One: 1", "X-One: 2")
    payload = payload_of(heard.feed(*lines), b"")
    payload["headers"]["x-one"].append("3")
    payload["headers"]["x-two"] = "4"
    assert payload_of(heard.feed(*lines), b"")["headers"] == {"host": "a", "x-one": ["1", "2"]}
    payload = payload_of(heard.feed("Host: a"), b"")
    payload["headers"]["x-two"] = "4"
    assert payload_of(heard.feed("Host: a"), b"")["headers"] == {"host": "a"}


def test_what_is_good_for_http_1_0_is_asked_again_for_1_1(heard: Heard) -> None:
    keep = "Connection: keep-alive"
    assert heard.feed(keep, version="1.0").version == "1.0"
    with pytest.raises(RequestRefused, match="Host is missing"):
        heard.feed(keep)


def test_each_new_section_is_held_to_the_limits(heard: Heard) -> None:
    heard.feed("Host: a", "X-One: 1", "X-Two: 2")
    with pytest.raises(RequestRefused, match="more than 3 headers"):
        heard.feed("Host: a", "X-One: 1", "X-Two: 2", "X-Three: 3")
