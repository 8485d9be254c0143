"""Connections that are used again, and requests that do not wait for answers."""

from __future__ import annotations

import asyncio

import pytest
from tests.server.serving import Gate, Wire, echo, echo_later, request, serving, until

from penstock.server.messages import Request, Response


@pytest.mark.parametrize(
    ("version", "header", "stays"),
    [
        ("1.1", None, True),
        ("1.1", "Connection: close", False),
        ("1.1", "Connection: keep-alive", True),
        ("1.0", None, False),
        ("1.0", "Connection: keep-alive", True),
        ("1.0", "Connection: close", False),
    ],
)
async def test_the_rules_of_both_versions_hold(version: str, header: str | None, stays: bool) -> None:
    async with serving(echo) as server, Wire(server) as wire:
        headers = [header] if header else []
        answer = await wire.ask(request("GET", "/", None, *headers, version=version))
        if stays:
            assert answer.headers.get("connection") == ("keep-alive" if version == "1.0" else None)
            assert (await wire.ask(request())).status == 200
        else:
            assert answer.headers["connection"] == "close"
            assert await wire.closed() == b""


async def test_http_1_0_needs_no_host() -> None:
    async with serving(echo) as server, Wire(server) as wire:
        assert (await wire.ask(b"GET /a HTTP/1.0\r\n\r\n")).body == b"GET /a "


@pytest.mark.parametrize("handler", [echo, echo_later])
async def test_pipelined_requests_are_answered_in_order(handler: object) -> None:
    sent = b"".join(request("POST", f"/{number}", b"x" * number) for number in range(100))
    async with serving(handler) as server, Wire(server) as wire:  # type: ignore[arg-type]
        await wire.send(sent)
        for number in range(100):
            assert (await wire.answer()).body == f"POST /{number} ".encode() + b"x" * number


async def test_a_quick_answer_waits_for_the_slow_one_before_it() -> None:
    slow = asyncio.Event()

    def handler(asked: Request) -> object:
        async def later() -> Response:
            await slow.wait()
            return Response(200, [], b"slow")

        return later() if asked.path == "/slow" else Response(200, [], b"quick")

    async with serving(handler) as server, Wire(server) as wire:  # type: ignore[arg-type]
        await wire.send(request("GET", "/slow") + request("GET", "/quick") * 2)
        await asyncio.sleep(0)
        slow.set()
        assert [(await wire.answer()).body for _ in range(3)] == [b"slow", b"quick", b"quick"]


async def test_requests_after_the_last_one_are_not_answered() -> None:
    seen: list[str] = []

    def handler(asked: Request) -> Response:
        seen.append(asked.path)
        return Response()

    async with serving(handler) as server, Wire(server) as wire:
        await wire.send(request("GET", "/1", None, "Connection: close") + request("GET", "/2"))
        await wire.answer()
        assert await wire.closed() == b""
    assert seen == ["/1"]


async def test_what_comes_after_a_last_request_does_not_disturb_its_answer() -> None:
    gate = Gate()
    async with serving(gate) as server, Wire(server) as wire:
        await wire.send(request("GET", "/1", None, "Connection: close"))
        await until(lambda: gate.entered)
        await wire.send(b"garbage" * 100)
        gate.open.set()
        assert (await wire.answer()).body == b"/1"


async def test_64_connections_are_served_side_by_side() -> None:
    async with serving(echo_later) as server:

        async def client(number: int) -> None:
            async with Wire(server) as wire:
                for turn in range(50):
                    answer = await wire.ask(request("POST", f"/{number}", b"%d" % turn))
                    assert answer.body == b"POST /%d %d" % (number, turn)

        async with asyncio.TaskGroup() as group:
            for number in range(64):
                group.create_task(client(number))
        await until(lambda: server.connections == 0)


async def test_empty_lines_before_a_request_are_forgiven() -> None:
    async with serving(echo) as server, Wire(server) as wire:
        assert (await wire.ask(b"\r\n\r\n" + request("GET", "/a"))).body == b"GET /a "


async def test_options_of_the_server_itself_is_a_request() -> None:
    async with serving(echo) as server, Wire(server) as wire:
        assert (await wire.ask(request("OPTIONS", "*"))).body == b"OPTIONS * "


async def test_an_absolute_target_is_the_same_as_its_path() -> None:
    async with serving(echo) as server, Wire(server) as wire:
        assert (await wire.ask(request("GET", "http://localhost/a?b"))).body == b"GET /a "
