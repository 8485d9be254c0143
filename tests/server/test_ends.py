"""How connections end: by the client, by the server, and by what goes wrong between."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.server.serving import (
    PATIENCE_SECONDS,
    Gate,
    Wire,
    echo,
    echo_later,
    port_of,
    request,
    serving,
    settled,
    until,
)

from penstock.core.errors import ClientGone
from penstock.server.messages import Request, Response
from penstock.testing.clock import FakeClock


async def test_a_client_that_leaves_cancels_its_handler() -> None:
    gate = Gate()
    async with serving(gate) as server:
        async with Wire(server) as wire:
            await wire.send(request())
            await until(lambda: gate.entered)
        await until(lambda: server.connections == 0)
        assert gate.cancelled == 1


async def test_a_client_that_leaves_cancels_the_stream_it_was_sent() -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
                await asyncio.Event().wait()
        finally:
            closed.set()

    async with serving(lambda _: Response(200, [], endless())) as server:
        async with Wire(server) as wire:
            await wire.send(request())
            await wire.reader.readuntil(b"x")
        async with asyncio.timeout(PATIENCE_SECONDS):
            await closed.wait()


async def test_who_waits_for_the_rest_of_a_body_hears_that_the_client_left() -> None:
    heard: list[BaseException] = []
    begun = asyncio.Event()

    async def handler(asked: Request) -> Response:
        begun.set()
        try:
            await asked.body()
        except (ClientGone, asyncio.CancelledError) as error:
            heard.append(error)
            raise
        return Response()

    async with serving(handler) as server:
        async with Wire(server) as wire:
            await wire.send(request("POST", "/", b"abcdef")[:-3])
            await begun.wait()
        await until(lambda: heard)
        await until(lambda: server.connections == 0)


async def test_a_connection_is_reset_and_nothing_is_left() -> None:
    gate = Gate()
    async with serving(gate) as server:
        loop = asyncio.get_running_loop()
        client = socket.socket()
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", port_of(server)))
        await loop.sock_sendall(client, request() * 3)
        await until(lambda: gate.entered)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        await until(lambda: server.connections == 0)
        assert gate.cancelled == gate.entered == 1


async def test_the_client_of_a_handler_that_somebody_else_cancels_may_come_again() -> None:
    tasks: list[asyncio.Task[Any]] = []

    async def handler(request: Request) -> Response:
        if tasks:
            return Response(body=b"now")
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        task.cancel()
        await asyncio.Event().wait()
        raise AssertionError("it was cancelled")

    async with serving(handler) as server, Wire(server) as wire:
        assert (await wire.ask(request())).status == 503
        assert (await wire.ask(request())).body == b"now"


async def test_tasks_have_the_name_of_their_request() -> None:
    names: list[str] = []

    async def handler(_: Request) -> Response:
        task = asyncio.current_task()
        assert task is not None
        names.append(task.get_name())
        return Response()

    async with serving(handler) as server, Wire(server) as wire:
        await wire.ask(request("GET", "/a?token=secret"))
    assert names == ["http GET /a"]


# Drain.


async def test_drain_lets_finish_what_was_begun() -> None:
    gate = Gate()
    async with serving(gate) as server, Wire(server) as wire:
        await wire.send(request("GET", "/begun"))
        await until(lambda: gate.entered)
        draining = asyncio.create_task(server.drain(60))
        await asyncio.sleep(0)
        with pytest.raises(OSError, match="111"):
            await asyncio.open_connection("127.0.0.1", port_of(server))
        assert not draining.done()
        gate.open.set()
        answer = await wire.answer()
        assert (answer.body, answer.headers["connection"]) == (b"/begun", "close")
        async with asyncio.timeout(PATIENCE_SECONDS):
            await draining
        assert server.connections == 0


async def test_drain_answers_every_request_that_waits() -> None:
    gate = Gate()
    async with serving(gate) as server, Wire(server) as wire:
        await wire.send(request("GET", "/1") + request("GET", "/2") + request("GET", "/3"))
        await until(lambda: gate.entered)
        draining = asyncio.create_task(server.drain(60))
        await asyncio.sleep(0)
        gate.open.set()
        answers = [await wire.answer() for _ in range(3)]
        await draining
    assert [answer.body for answer in answers] == [b"/1", b"/2", b"/3"]
    assert [answer.headers.get("connection") for answer in answers] == [None, None, "close"]


async def test_drain_reads_the_rest_of_a_request_that_was_begun() -> None:
    async with serving(echo_later) as server, Wire(server) as wire, Wire(server) as other:
        whole = request("POST", "/", b"abcdef")
        await wire.send(whole[:30])
        await other.send(whole[:-3])
        await until(lambda: server.connections == 2)
        await settled()
        draining = asyncio.create_task(server.drain(60))
        await settled()
        await wire.send(whole[30:])
        await other.send(whole[-3:])
        for each in (wire, other):
            answer = await each.answer()
            assert (answer.body, answer.headers["connection"]) == (b"POST / abcdef", "close")
        await draining


async def test_drain_closes_connections_that_do_nothing() -> None:
    async with serving(echo) as server, Wire(server) as idle, Wire(server) as fresh:
        await idle.ask(request())
        await until(lambda: server.connections == 2)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await server.drain(60)
        assert await idle.closed() == await fresh.closed() == b""


async def test_drain_cuts_what_is_not_over_at_its_deadline() -> None:
    gate, clock = Gate(), FakeClock()
    async with serving(gate, clock=clock) as server, Wire(server) as wire:
        await wire.send(request())
        await until(lambda: gate.entered)
        draining = asyncio.create_task(server.drain(5))
        await clock.scheduled(2)  # the server's own, and the deadline
        clock.advance(5.1)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await draining
        assert gate.cancelled == 1
        assert await wire.closed() == b""


async def test_drain_that_is_cancelled_cuts_at_once() -> None:
    gate = Gate()
    async with serving(gate) as server, Wire(server) as wire:
        await wire.send(request())
        await until(lambda: gate.entered)
        draining = asyncio.create_task(server.drain(60))
        await asyncio.sleep(0)
        draining.cancel()
        with pytest.raises(asyncio.CancelledError):
            await draining
        await until(lambda: gate.cancelled)


async def test_close_waits_for_handlers_that_clean_up() -> None:
    cleaned = []
    begun = asyncio.Event()

    async def handler(_: Request) -> Response:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)
        return Response()

    async with serving(handler) as server, Wire(server) as wire:
        await wire.send(request())
        await begun.wait()
        await server.close()
        assert cleaned == [True]


# Time. The clock stands still until the test moves it.


async def test_a_head_that_takes_too_long_is_a_408() -> None:
    clock = FakeClock()
    async with serving(echo, clock=clock, head_seconds=10) as server, Wire(server) as wire:
        await wire.send(b"GET / HTTP/1.1\r\n")
        for _ in range(3):  # a byte now and then gains no time
            await settled()
            clock.advance(3)
            await wire.send(b"X")
        await settled()
        clock.advance(3)
        answer = await wire.answer()
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert await wire.closed() == b""


async def test_a_client_that_never_says_anything_is_let_go() -> None:
    clock = FakeClock()
    async with serving(echo, clock=clock, head_seconds=10) as server, Wire(server) as wire:
        await until(lambda: server.connections)
        clock.advance(9)
        assert server.connections
        clock.advance(3)
        assert await wire.closed() == b""


async def test_an_idle_connection_is_closed_in_time_and_not_before() -> None:
    clock = FakeClock()
    async with (
        serving(echo, clock=clock, idle_seconds=75, head_seconds=10) as server,
        Wire(server) as wire,
    ):
        await wire.ask(request())
        clock.advance(70)
        await wire.ask(request())
        clock.advance(70)
        await wire.ask(request())
        clock.advance(77)
        assert await wire.closed() == b""


async def test_a_body_that_stalls_is_a_408() -> None:
    clock = FakeClock()
    async with serving(echo_later, clock=clock, body_seconds=30) as server, Wire(server) as wire:
        await wire.send(request("POST", "/", b"a" * 100)[:-80])
        for _ in range(4):
            await settled()
            clock.advance(20)
            await wire.send(b"a")
        await settled()
        clock.advance(32)
        assert (await wire.answer()).status == 408
        assert await wire.closed() == b""


async def test_a_handler_may_take_its_time_while_a_body_waits() -> None:
    gate, clock = Gate(), FakeClock()

    async def handler(asked: Request) -> Response:
        await gate(asked)
        return Response(200, [], await asked.body())

    async with serving(handler, clock=clock, body_seconds=30) as server, Wire(server) as wire:
        await wire.send(request("POST", "/", b"abc")[:-1])
        await until(lambda: gate.entered)
        clock.advance(3600)
        gate.open.set()
        await asyncio.sleep(0)
        await wire.send(b"c")
        assert (await wire.answer()).body == b"abc"


async def test_a_handler_may_take_its_time_for_the_answer() -> None:
    gate, clock = Gate(), FakeClock()
    async with serving(gate, clock=clock) as server, Wire(server) as wire:
        await wire.send(request("GET", "/slow"))
        await until(lambda: gate.entered)
        clock.advance(86400)
        gate.open.set()
        assert (await wire.answer()).body == b"/slow"
        clock.advance(70)
        assert (await wire.ask(request("GET", "/again"))).body == b"/again"


async def test_a_client_that_takes_nothing_of_its_answer_is_cut() -> None:
    clock = FakeClock()
    answer = Response(200, [], bytes(32 << 20))
    async with serving(lambda _: answer, clock=clock, send_seconds=30) as server, Wire(server) as wire:
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await wire.send(request())
        await until(lambda: server.connections)
        await settled()  # the buffers between fill up
        clock.advance(20)
        assert server.connections
        clock.advance(40)
        await until(lambda: server.connections == 0)


async def test_who_is_refused_and_goes_on_sending_is_cut_after_a_while() -> None:
    clock = FakeClock()
    async with serving(echo, clock=clock, body_bytes=10) as server, Wire(server) as wire:
        assert (await wire.ask(request("POST", "/", b"a" * 11)[:-11])).status == 413
        await wire.send(b"a" * 11)
        assert server.connections
        clock.advance(4)
        await until(lambda: server.connections == 0)


async def test_a_server_without_connections_keeps_no_timer() -> None:
    clock = FakeClock()
    async with serving(echo, clock=clock) as server:
        async with Wire(server) as wire:
            await wire.ask(request())
            assert len(clock.pending) == 1
        await until(lambda: server.connections == 0)
        clock.advance(2)
        assert clock.pending == []


# What is left behind.


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted in /proc")
async def test_10_000_failing_requests_leave_nothing_open(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")

    async def handler(asked: Request) -> Response:
        if asked.path == "/fail":
            raise RuntimeError("no")
        if asked.path == "/wait":
            await asyncio.Event().wait()
        return Response(200, [], await asked.body())

    kinds = [
        request("GET", "/fail"),
        request("GET", "/wait"),
        request("POST", "/", b"abc")[:-1],
        b"garbage\r\n\r\n",
        request("POST", "/", b"abc", "Content-Encoding: gzip"),
        request("GET", "/")[:-1],
        request("POST", "/", b"a" * 2000),
        b"",
    ]

    async with serving(handler, body_bytes=1000) as server:

        async def one(number: int) -> None:
            _, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
            writer.write(kinds[number % len(kinds)])
            if number % 3:
                await asyncio.sleep(0)
            writer.transport.abort()

        async def many(count: int) -> None:
            for start in range(0, count, 100):
                async with asyncio.TaskGroup() as group:
                    for number in range(start, start + 100):
                        group.create_task(one(number))
            await until(lambda: server.connections == 0)

        await many(200)
        gc.collect()
        before, tasks = descriptors(), len(asyncio.all_tasks())
        await many(10_000)
        gc.collect()
        assert descriptors() <= before
        assert len(asyncio.all_tasks()) == tasks


async def test_a_server_that_nobody_came_to_for_long_answers_the_next_client() -> None:
    clock = FakeClock()
    async with serving(echo, clock=clock, head_seconds=10) as server:
        async with Wire(server) as first:
            assert (await first.ask(request())).status == 200
        await until(lambda: not server.connections)
        clock.advance(3600)
        async with Wire(server) as late:
            assert (await late.ask(request())).status == 200
