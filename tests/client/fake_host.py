"""A host of a few lines: it answers what a test says, and remembers what it was asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx2

PREFIX = "/api/v1"

Answer = Callable[[httpx2.Request], httpx2.Response] | httpx2.Response | Exception


class FakeHost:
    """Answers by method and path; of several answers for one, each once and the last for ever."""

    def __init__(self) -> None:
        self.asked: list[httpx2.Request] = []
        self._answers: dict[tuple[str, str], list[Answer]] = {}

    def answers(self, method: str, path: str, *answers: Answer) -> None:
        self._answers[(method, PREFIX + path)] = list(answers)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        known = self._answers.get((request.method, request.url.path))
        if known is None:
            return problem(404, "nothing is here")
        answer = known.pop(0) if len(known) > 1 else known[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer

    @property
    def last(self) -> httpx2.Request:
        return self.asked[-1]

    @property
    def lines(self) -> list[str]:
        """What was asked, as `METHOD path?query`."""
        return [
            f"{request.method} {request.url.raw_path.decode().removeprefix(PREFIX)}"
            for request in self.asked
        ]


def answer(body: Any, status: int = 200, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, json=body, headers=named)


def problem(
    status: int,
    detail: str = "",
    *,
    kind: str = "",
    headers: dict[str, str] | None = None,
    **members: Any,
) -> httpx2.Response:
    body = {"title": "", "status": status, "detail": detail, **members}
    if kind:
        body["type"] = f"urn:penstock:{kind}"
    found = {"content-type": "application/problem+json", **(headers or {})}
    return httpx2.Response(status, content=json.dumps(body).encode(), headers=found)


class Cut(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body in parts, behind which the line is cut, or is not."""

    def __init__(self, *parts: bytes, cut: bool = True) -> None:
        self._parts = parts
        self._cut = cut
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self._parts
        if self._cut:
            raise httpx2.ReadError("cut")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


def events(*parts: bytes, cut: bool = False) -> httpx2.Response:
    """An answer that is a stream of events."""
    head = {"content-type": "text/event-stream"}
    return httpx2.Response(200, headers=head, stream=Cut(*parts, cut=cut))


def sent(seq: int, type: str = "node.message", **fields: Any) -> bytes:  # noqa: A002 - the field's word
    """A server-sent event."""
    flat = {"seq": seq, "at": "2027-01-15T08:00:00.500Z", "type": type, **fields}
    return f"id: {seq}\nevent: {type}\ndata: {json.dumps(flat)}\n\n".encode()


EOF = b"event: eof\ndata: {}\n\n"

RUN = {
    "fid": "f1",
    "flow": "zen",
    "state": "running",
    "started": "2027-01-15T08:00:00.000000Z",
    "links": {"self": "/api/v1/runs/f1"},
}
