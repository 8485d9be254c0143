"""Whatever comes in whatever pieces: the same answers, or a refusal, and never a surprise."""

from __future__ import annotations

import asyncio
import io
import itertools
from collections.abc import Sequence
from http.client import HTTPResponse
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from penstock.server.connection import Connection
from penstock.server.limits import Limits
from penstock.server.messages import Request, Response
from penstock.server.service import Service
from penstock.testing.clock import FakeClock


class Pipe(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.reading = True
        self.ended = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.ended
        self.written += data

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.ended = True

    def abort(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return self.ended

    def get_write_buffer_size(self) -> int:
        return 0


def echo(request: Request) -> Any:
    """At once for some, later for others, and sometimes without looking at the body."""
    if request.path.startswith("/ignore"):
        return Response(200, [], b"ignored")
    if request.path.startswith("/now") and request.body_now is not None:
        return described(request, request.body_now)
    return echo_later(request)


async def echo_later(request: Request) -> Response:
    await asyncio.sleep(0)
    return described(request, await request.body())


def described(request: Request, body: bytes) -> Response:
    fields = {name: value for name, value in request.fields.items() if name.startswith("x-")}
    return Response(200, [], repr((request.method, request.target, fields, body)).encode())


async def _play(pieces: Sequence[bytes]) -> bytes:
    seen: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: seen.append(context))
    service = Service(echo, limits=Limits(), clock=FakeClock(), compress_from_bytes=None)
    pipe, connection = Pipe(), Connection(service)
    connection.connection_made(pipe)
    for piece in pieces:
        for _ in range(100):
            if pipe.reading:
                break
            await asyncio.sleep(0)
        connection.data_received(piece)
    quiet, before = 0, -1
    while quiet < 5:
        await asyncio.sleep(0)
        quiet, before = (quiet + 1 if len(pipe.written) == before else 0), len(pipe.written)
    written = bytes(pipe.written)
    connection.connection_lost(None)
    await service.vacant.wait()
    assert seen == []
    return written


def play(*pieces: bytes) -> bytes:
    """What is answered when these pieces come one after the other."""
    return asyncio.run(_play(pieces))


class _Fixed:
    def __init__(self, stream: io.BytesIO) -> None:
        self._stream = stream

    def makefile(self, _mode: str) -> io.BytesIO:
        return self._stream


def answers(written: bytes) -> list[tuple[int, bytes]]:
    """Status and body of each answer, by the parser of the standard library."""
    found = []
    stream = io.BytesIO(written)
    stream.close = lambda: None  # type: ignore[method-assign]
    while stream.tell() < len(written):
        response = HTTPResponse(_Fixed(stream))  # type: ignore[arg-type]
        response.begin()
        found.append((response.status, response.read()))
    return found


tokens = st.text("abcdefghijklmnopqrstuvwxyz-_!~0123456789", min_size=1, max_size=12)
values = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30)


@st.composite
def framed(draw: st.DrawFn, body: bytes) -> tuple[list[str], bytes]:
    """The headers that frame a body, and the body as it is sent."""
    if not body and draw(st.booleans()):
        return [], b""
    if draw(st.booleans()):
        return [f"Content-Length: {len(body)}"], body
    sent = b""
    while body:
        size = draw(st.integers(1, len(body)))
        extension = draw(st.sampled_from([b"", b";a=b", b';a="b c"']))
        sent += b"%x%b\r\n%b\r\n" % (size, extension, body[:size])
        body = body[size:]
    trailer = draw(st.sampled_from([b"", b"X-Trailer: 1\r\n"]))
    return ["Transfer-Encoding: chunked"], sent + b"0\r\n" + trailer + b"\r\n"


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, tuple[str, str, dict[str, str], bytes]]:
    """A request in bytes, and what it says."""
    method = draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"]))
    target = draw(st.sampled_from(["/", "/now", "/ignore"])) + draw(tokens)
    fields = draw(st.dictionaries(tokens.map(lambda token: f"x-{token}"), values, max_size=4))
    body = draw(st.binary(max_size=60))
    framing, sent = draw(framed(body))
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *framing]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join((*lines, "", "")).encode() + sent, (method, target, fields, body)


def split(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(places) if end > start]


@given(st.lists(requests(), min_size=1, max_size=5), st.lists(st.integers(0, 10_000), max_size=30))
def test_requests_in_any_pieces_get_the_same_answers(
    several: list[tuple[bytes, tuple[str, str, dict[str, str], bytes]]], cuts: list[int]
) -> None:
    data = b"".join(sent for sent, _ in several)
    expected = [
        (200, b"ignored" if said[1].startswith("/ignore") else repr(said).encode())
        for _, said in several
    ]
    assert answers(play(data)) == expected
    assert answers(play(*split(data, cuts))) == expected


@given(st.lists(requests(), min_size=1, max_size=2))
def test_requests_that_come_byte_by_byte_get_the_same_answers(
    several: list[tuple[bytes, tuple[str, str, dict[str, str], bytes]]],
) -> None:
    data = b"".join(sent for sent, _ in several)
    assert play(*split(data, range(len(data)))) == play(data)


REFUSALS = {400, 413, 414, 415, 417, 431, 501, 505}


def check_answers(pieces: Sequence[bytes]) -> None:
    """Answers as long as it makes sense, then at most one refusal, and nothing after it."""
    written = play(*pieces)
    *before, last = answers(written) or [(200, b"")]
    assert all(status == 200 or status in {400, 415} for status, _ in before)
    assert last[0] in {200} | REFUSALS
    if last[0] in REFUSALS - {400, 415}:
        assert b"Connection: close" in written


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_any_bytes_are_refused_or_waited_for(pieces: list[bytes]) -> None:
    check_answers(pieces)


@given(
    st.lists(requests(), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=4)), min_size=1, max_size=5),
    st.lists(st.integers(0, 10_000), max_size=10),
)
def test_requests_with_some_bytes_changed_are_answered_or_refused(
    several: list[tuple[bytes, object]], changes: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    data = b"".join(sent for sent, _ in several)
    for place, change in changes:
        at = place % len(data)
        data = data[:at] + change + data[at + max(1, len(change)) :] or b"x"
    check_answers(split(data, cuts))
