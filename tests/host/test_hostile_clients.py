"""Clients that send what no client should: the host refuses it, says why, and goes on serving."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from tests.host.hosted import Hosted, hosted
from tests.server.serving import Answer, Wire, request, settled

from penstock.host.api.body import BODY_BYTES
from penstock.host.api.operation import Operation
from penstock.host.api.routes import OPERATIONS
from penstock.host.door import LIMITS
from penstock.host.views import PREFIX
from penstock.testing.clock import FakeClock

GREET = {
    "flow": "greet",
    "inputs": {"name": {"type": "string"}},
    "required": ["name"],
    "nodes": [{"kind": "snippet", "name": "greet", "language": "cel", "code": '"hello " + self.name'}],
}
ASK = {
    "flow": "ask",
    "nodes": [{"kind": "lock", "name": "approve", "schema": {"type": "object"}}],
}
RUNS = f"{PREFIX}/flows/greet/runs"
JSON = "Content-Type: application/json"

HANDSHAKE = ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]

NAMES = ["\0", "a\0b", "..", "../../secret", "%00", "\n", "\u202e", "😀", "x" * 3000, "'; --", "{}"]
"""What stands for a parameter of a path or a query."""

NO_TEXT = ["%ff%fe", "%ed%a0%80", "%zz", "%"]
"""The same, encoded as nobody should."""

BODIES = [
    b"",
    b"null",
    b"[]",
    b"1",
    b'"text"',
    b"\xff\xfe{",
    b'{"inputs":',
    b"[" * 100_000,
    b'{"inputs":{"name":' + b"[" * 5_000 + b"]" * 5_000 + b"}}",
    b'{"inputs":{"name":' + b"9" * 5_000 + b"}}",
    b'{"inputs":{"name":1e999}}',
    b'{"inputs":{"name":NaN}}',
    rb'{"inputs":{"name":"\ud800"}}',
    rb'{"inputs":{"\u0000":"\u0000"}}',
    rb'{"name":"\u0000","password":"\u0000","subject":"\u0000","resource":"\u0000","reason":"\u0000"}',
    rb'{"documents":[null,1,"\u0000",[],{},{"flow":"\u0000"}],"namespace":"\u0000"}',
]

KINDS = (
    "application/json",
    "application/json; charset=nonsense",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    "text/plain",
    "",
)


@pytest.fixture
async def served(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Hosted]:
    """A host, in whose log no client has caused an error at the end, and which still serves."""
    async with hosted(GREET, ASK) as served:
        yield served
        ran = await served.admin.post(f"{RUNS}?wait=10", json={"inputs": {"name": "Ada"}})
        assert ran.json()["state"] == "completed"
    assert [each.message for each in caplog.records if each.levelno >= logging.ERROR] == []


def wire(served: Hosted) -> Wire:
    """A connection to a host, without anything between."""
    return Wire(int(served.url.rpartition(":")[2]))


def by_admin(
    served: Hosted, method: str, target: str, body: bytes | None = None, *headers: str
) -> bytes:
    return request(method, target, body, f"Authorization: Bearer {served.token}", *headers)


def problem(answer: Answer) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json", answer
    told: dict[str, Any] = json.loads(answer.body)
    assert told["status"] == answer.status
    assert told["detail"]
    return told


# --- too large ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/" + "a" * LIMITS.target_bytes, [], 414),
        (f"{PREFIX}/runs?cursor={'a' * LIMITS.target_bytes}", [], 414),
        (f"{PREFIX}/runs", ["X: " + "a" * LIMITS.head_bytes], 431),
        (f"{PREFIX}/runs", ["Cookie: penstock_session=" + "a" * LIMITS.head_bytes], 431),
        (f"{PREFIX}/runs", ["X: a"] * (LIMITS.header_count + 1), 431),
    ],
    ids=["path", "query", "header", "cookie", "headers"],
)
async def test_a_head_that_is_too_large_is_refused(
    served: Hosted, target: str, headers: list[str], status: int
) -> None:
    async with wire(served) as client:
        answer = await client.ask(request("GET", target, None, *headers))
        assert (answer.status, answer.headers["connection"]) == (status, "close")
        problem(answer)
        assert await client.closed() == b""


async def test_a_body_that_says_that_it_is_too_large_is_not_waited_for(served: Hosted) -> None:
    head = by_admin(served, "POST", RUNS, None, JSON, f"Content-Length: {BODY_BYTES + 1}")
    async with wire(served) as client:
        answer = await client.ask(head)
        assert answer.status == 413
        assert problem(answer)["type"] == "urn:penstock:too-large"


async def test_a_body_that_turns_out_too_large_is_refused(served: Hosted) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(BODY_BYTES // 65536 + 2):
            yield b" " * 65536

    answer = await served.admin.post(
        RUNS, content=endless(), headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:penstock:too-large")


async def test_a_small_body_that_is_large_when_it_is_decoded_is_refused(served: Hosted) -> None:
    bomb = gzip.compress(b" " * (4 * BODY_BYTES))
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    answer = await served.admin.post(RUNS, content=bomb, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:penstock:too-large")


async def test_a_form_of_too_many_fields_is_refused(served: Hosted) -> None:
    many = "&".join(f"f{number}=1" for number in range(2000))
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await served.admin.post(RUNS, content=many, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:penstock:malformed-body")


# --- too slow. The clock stands still until the test moves it -----------------------


async def test_a_slow_loris_is_let_go_while_others_are_served() -> None:
    clock = FakeClock()
    async with hosted(GREET, clock=clock) as served, wire(served) as loris, wire(served) as mute:
        await loris.send(f"GET {PREFIX}/flows HTTP/1.1\r\nHost: x\r\n".encode())
        for _ in range(3):  # a header now and then gains no time
            await settled()
            clock.advance(LIMITS.head_seconds / 3 - 0.1)
            assert (await served.admin.get(f"{PREFIX}/flows")).status_code == 200
            await loris.send(b"X: a\r\n")
        await settled()
        clock.advance(2)
        answer = await loris.answer()
        assert answer.status == 408
        problem(answer)
        assert await loris.closed() == await mute.closed() == b""


async def test_a_body_that_never_comes_is_let_go() -> None:
    clock = FakeClock()
    async with hosted(GREET, clock=clock) as served, wire(served) as client:
        await client.send(by_admin(served, "POST", RUNS, b'{"inputs": {}}', JSON)[:-1])
        await settled()
        clock.advance(LIMITS.body_seconds + 2)
        answer = await client.answer()
        assert answer.status == 408
        problem(answer)
        assert await client.closed() == b""
        assert (await served.admin.get(f"{PREFIX}/runs")).json()["items"] == []


async def test_who_leaves_in_the_middle_of_a_body_has_launched_nothing(served: Hosted) -> None:
    for _ in range(5):
        async with wire(served) as client:
            await client.send(by_admin(served, "POST", RUNS, b'{"inputs": {"name": "Ada"}}', JSON)[:-1])
            await settled()
    assert (await served.admin.get(f"{PREFIX}/runs")).json()["items"] == []


# --- malformed ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"G@T / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: a\0b\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03" + bytes(200),
        bytes(range(256)),
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\naa",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused(served: Hosted, sent: bytes) -> None:
    async with wire(served) as client:
        answer = await client.ask(sent)
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        problem(answer)
        assert await client.closed() == b""


async def test_a_chunked_body_that_makes_no_sense_is_refused(served: Hosted) -> None:
    head = by_admin(served, "POST", RUNS, None, JSON, "Transfer-Encoding: chunked")
    async with wire(served) as client:
        answer = await client.ask(head + b"zz\r\n")
        assert answer.status == 400
        problem(answer)


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        (f"{PREFIX}/runs/x/events", [], 400),
        (f"{PREFIX}/runs/x/events", HANDSHAKE, 404),
        (f"{PREFIX}/runs/x/events?after=-1", HANDSHAKE, 400),
        (f"{PREFIX}/runs/%00/events?node=%00", HANDSHAKE, 404),
        (f"{PREFIX}/flows", HANDSHAKE, 404),
        ("/", HANDSHAKE, 404),
    ],
)
async def test_a_websocket_of_nothing_is_refused(
    served: Hosted, target: str, headers: list[str], status: int
) -> None:
    upgrade = ["Upgrade: websocket", "Connection: Upgrade", *headers]
    async with wire(served) as client:
        answer = await client.ask(by_admin(served, "GET", target, None, *upgrade))
        assert (answer.status, answer.headers["connection"]) == (status, "close")
        problem(answer)


@pytest.mark.parametrize(
    "credentials",
    ["Authorization: Bearer \xff", "Authorization: Basic YTpi", "Cookie: penstock_session=\xff; =; ;;"],
)
async def test_credentials_that_make_no_sense_are_none(served: Hosted, credentials: str) -> None:
    async with wire(served) as client:
        head = f"GET {PREFIX}/runs HTTP/1.1\r\nHost: x\r\n{credentials}\r\n\r\n".encode("latin-1")
        answer = await client.ask(head)
        assert answer.status == 401
        problem(answer)


@pytest.mark.parametrize(
    "target",
    [
        f"{PREFIX}/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/static/../host.py",
        f"{PREFIX}/flows/",
    ],
)
async def test_no_path_leads_anywhere_else(served: Hosted, target: str) -> None:
    async with wire(served) as client:
        answer = await client.ask(by_admin(served, "GET", target))
        assert (answer.status, "location" in answer.headers) == (404, False)


# --- whatever is sent, it is no fault of the host -----------------------------------


@pytest.mark.parametrize(
    "operation",
    [each for each in OPERATIONS if each.name != "show_ready"],  # which tells of the host alone
    ids=lambda each: each.name,
)
async def test_no_parameter_of_a_path_or_a_query_is_a_fault_of_the_host(
    served: Hosted, operation: Operation
) -> None:
    for text in [*(quote(name, safe="") for name in NAMES), *NO_TEXT]:
        targets = [path_of(operation, **{each: text}) for each in operation.placeholders]
        known = operation.query.__annotations__ if operation.query is not None else ()
        targets += [f"{path_of(operation)}?{name}={text}" for name in (*known, text)]
        for target in targets:
            answer = await refused_or_not(served, operation, by_admin(served, operation.method, target))
            assert answer.status < 500, (target, answer)


@pytest.mark.parametrize(
    "operation",
    [each for each in OPERATIONS if each.unsafe and each.name != "log_out"],
    ids=lambda each: each.name,
)
async def test_no_body_is_a_fault_of_the_host(served: Hosted, operation: Operation) -> None:
    run = (await served.admin.post(f"{PREFIX}/flows/ask/runs", json={})).json()
    places = {"flow": "greet", "fid": run["fid"], "name": "admin", "lid": "a" * 12, "id": "nothing"}
    target = path_of(operation, **places)
    for body in BODIES:
        for kind in KINDS if len(body) < 100 else KINDS[:1]:
            sent = by_admin(served, operation.method, target, body, f"Content-Type: {kind}")
            answer = await refused_or_not(served, operation, sent)
            assert answer.status < 500, (operation.name, kind, body[:80], answer)


async def test_a_hundred_wrong_requests_at_once_disturb_nobody(served: Hosted) -> None:
    async def status(body: bytes) -> int:
        async with wire(served) as client:
            return (await client.ask(by_admin(served, "POST", RUNS, body, JSON))).status

    statuses = await asyncio.gather(*(status(BODIES[each % len(BODIES)]) for each in range(100)))
    assert set(statuses) == {201, 400, 422}


async def refused_or_not(served: Hosted, operation: Operation, sent: bytes) -> Answer:
    """An answer; where it refuses, it has told what is wrong."""
    bodiless = operation.method == "HEAD"
    async with wire(served) as client:
        await client.send(sent)
        answer = await client.answer(bodiless=bodiless)
    if answer.status >= 400 and not bodiless:
        problem(answer)
    return answer


def path_of(operation: Operation, **places: str) -> str:
    """Its path, with what stands for its parameters; `x` where nothing is said."""
    path = operation.path.replace(":path}", "}")
    filled = path.format_map({name: places.get(name, "x") for name in operation.placeholders})
    return filled if operation.rooted else f"{PREFIX}{filled}"
