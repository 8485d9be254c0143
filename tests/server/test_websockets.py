"""Websockets, with the client of the `websockets` library and with frames by hand."""

from __future__ import annotations

import asyncio
import json
import ssl
import tracemalloc
from pathlib import Path

import pytest
import trustme
from tests.server.serving import PATIENCE_SECONDS, Wire, port_of, request, serving, settled, until
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from penstock.core.errors import ClientGone
from penstock.server.messages import Converse, Handler, Request, Response
from penstock.server.server import Server
from penstock.server.tls import tls_context
from penstock.server.websocket import WebSocket
from penstock.testing.clock import FakeClock

HANDSHAKE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


async def parrot(socket: WebSocket) -> None:
    async for message in socket:
        await socket.send(message)


def talking(converse: Converse = parrot, **options: object) -> Handler:
    return lambda asked: asked.upgrade_websocket(converse, **options)  # type: ignore[arg-type]


def dial(server: Server, path: str = "/", **options: object) -> connect:
    return connect(f"ws://127.0.0.1:{port_of(server)}{path}", proxy=None, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("later", [False, True])
async def test_messages_go_both_ways(later: bool) -> None:
    async def handler(asked: Request) -> Response:
        await asyncio.sleep(0)
        return asked.upgrade_websocket(parrot)

    async with serving(handler if later else talking()) as server, dial(server) as client:
        for message in ("hello", "é" * 1000, b"\0\1", "", b"", "x" * 500_000):
            await client.send(message)
            assert await client.recv() == message


async def test_a_message_in_fragments_is_one_message() -> None:
    async with serving(talking()) as server, dial(server) as client:
        await client.send(["hé", "llo ", "you"])
        assert await client.recv() == "héllo you"
        await client.send([b"\xff", b"\xfe"])
        assert await client.recv() == b"\xff\xfe"


@pytest.mark.parametrize("compression", [True, False])
async def test_messages_are_compressed_when_both_want_it(compression: bool) -> None:
    async with serving(talking(compression=compression)) as server, dial(server) as client:
        assert ("Sec-WebSocket-Extensions" in client.response.headers) is compression  # type: ignore[union-attr]
        await client.send("again " * 10_000)
        assert await client.recv() == "again " * 10_000


async def test_the_handler_knows_the_request_and_chooses_a_subprotocol() -> None:
    async def converse(socket: WebSocket) -> None:
        await socket.send(f"{socket.request.path} {socket.subprotocol}")

    offered = [Subprotocol("one"), Subprotocol("two")]
    async with serving(talking(converse, subprotocols=["two", "three"])) as server:
        async with dial(server, "/room", subprotocols=offered) as client:
            assert await client.recv() == "/room two"
        async with dial(server, "/room", subprotocols=[Subprotocol("four")]) as client:
            assert await client.recv() == "/room "
            assert client.subprotocol is None


async def test_the_answer_may_have_headers() -> None:
    async with serving(talking(headers=[("X-Room", "1")])) as server, dial(server) as client:
        assert client.response is not None
        assert client.response.headers["X-Room"] == "1"


async def test_headers_that_cannot_be_sent_are_a_500(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(talking(headers=[("X", "a\r\nY: b")])) as server:
        with pytest.raises(InvalidStatus, match="500"):
            async with dial(server):
                pass
    assert "cannot be sent" in caplog.text


async def test_a_handler_may_refuse() -> None:
    async with serving(lambda _: Response(403, [], b"no")) as server:
        with pytest.raises(InvalidStatus, match="403"):
            async with dial(server):
                pass


async def test_a_plain_request_where_a_websocket_is_wanted_is_a_426() -> None:
    async with serving(talking()) as server, Wire(server) as wire:
        answer = await wire.ask(request())
        assert (answer.status, answer.headers["upgrade"]) == (426, "websocket")
        assert (await wire.ask(request())).status == 426


@pytest.mark.parametrize(
    ("handshake", "status"),
    [
        (HANDSHAKE[:3], 400),
        ((*HANDSHAKE[:3], "Sec-WebSocket-Key: short"), 400),
        ((*HANDSHAKE[:2], HANDSHAKE[3]), 400),
        ((*HANDSHAKE[:2], "Sec-WebSocket-Version: 7", HANDSHAKE[3]), 400),
    ],
    ids=["no key", "short key", "no version", "old version"],
)
async def test_a_handshake_with_mistakes_is_answered_so(handshake: tuple[str, ...], status: int) -> None:
    async with serving(talking()) as server, Wire(server) as wire:
        answer = await wire.ask(request("GET", "/", None, *handshake))
        assert answer.status == status
        assert json.loads(answer.body)["status"] == status
        assert await wire.closed() == b""


async def test_the_handshake_is_that_of_the_standard() -> None:
    async with serving(talking()) as server, Wire(server) as wire:
        answer = await wire.ask(request("GET", "/", None, *HANDSHAKE))
        assert answer.status == 101
        assert answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


async def test_requests_before_it_are_answered_first() -> None:
    def handler(asked: Request) -> Response:
        return asked.upgrade_websocket(parrot) if asked.wants_websocket else Response(200, [], b"plain")

    frame = b"\x81\x81\0\0\0\0a"  # masked with zeros: "a"
    async with serving(handler) as server, Wire(server) as wire:
        await wire.send(request() + request("GET", "/", None, *HANDSHAKE) + frame)
        assert (await wire.answer()).body == b"plain"
        assert (await wire.answer()).status == 101
        assert await wire.reader.readexactly(3) == b"\x81\x01a"


async def test_what_comes_while_the_handler_decides_is_not_lost() -> None:
    decided = asyncio.Event()

    async def handler(asked: Request) -> Response:
        await decided.wait()
        return asked.upgrade_websocket(parrot)

    async with serving(handler) as server, Wire(server) as wire:
        await wire.send(request("GET", "/", None, *HANDSHAKE) + b"\x81\x81\0\0\0\0a")
        await wire.send(b"\x81\x81\0\0\0\0b")
        await until(lambda: server.connections)
        decided.set()
        assert (await wire.answer()).status == 101
        assert await wire.reader.readexactly(6) == b"\x81\x01a\x81\x01b"


# Ends.


class Ending:
    """Converses until the end, and keeps what it saw."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.code: int | None = None
        self.reason = ""
        self.gone = False

    async def __call__(self, socket: WebSocket) -> None:
        async for _ in socket:
            pass
        self.code, self.reason = socket.close_code, socket.close_reason
        try:
            await socket.send("too late")
        except ClientGone:
            self.gone = True
        self.over.set()


async def test_a_client_that_says_goodbye_ends_the_messages() -> None:
    ending = Ending()
    async with serving(talking(ending)) as server:
        async with dial(server) as client:
            await client.close(4000, "enough")
        await ending.over.wait()
        await until(lambda: server.connections == 0)
    assert (ending.code, ending.reason, ending.gone) == (4000, "enough", True)


async def test_a_client_that_vanishes_ends_the_messages() -> None:
    ending = Ending()
    async with serving(talking(ending)) as server:
        async with Wire(server) as wire:
            await wire.ask(request("GET", "/", None, *HANDSHAKE))
        await ending.over.wait()
        await until(lambda: server.connections == 0)
    assert (ending.code, ending.gone) == (1006, True)


async def test_messages_that_came_before_the_goodbye_are_read() -> None:
    read: list[str | bytes] = []
    begun, over = asyncio.Event(), asyncio.Event()

    async def converse(socket: WebSocket) -> None:
        await begun.wait()
        read.extend([message async for message in socket])
        over.set()

    async with serving(talking(converse)) as server:
        async with dial(server) as client:
            for number in range(5):
                await client.send(str(number))
        begun.set()
        await over.wait()
    assert read == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("code", "reason"), [(1000, ""), (1008, "not you"), (3000, "é" * 61), (4999, "")]
)
async def test_a_handler_may_say_goodbye(code: int, reason: str) -> None:
    async def converse(socket: WebSocket) -> None:
        await socket.close(code, reason)
        assert socket.closed

    async with serving(talking(converse)) as server, dial(server) as client:
        with pytest.raises(ConnectionClosed) as caught:
            await client.recv()
    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (code, reason)


async def test_a_conversation_that_returns_is_closed_normally() -> None:
    async def converse(_: WebSocket) -> None:
        return

    async with serving(talking(converse)) as server, dial(server) as client:
        await client.wait_closed()
        assert client.close_code == 1000
        await until(lambda: server.connections == 0)


async def test_a_conversation_that_fails_is_closed_with_1011_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def converse(_: WebSocket) -> None:
        raise RuntimeError("the password is tiger")

    async with serving(talking(converse)) as server, dial(server, "/room?token=secret") as client:
        await client.wait_closed()
        assert (client.close_code, client.close_reason) == (1011, "")
    assert "the websocket at /room failed" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(("code", "reason"), [(999, ""), (1006, ""), (5000, ""), (1000, "é" * 62)])
async def test_a_goodbye_that_cannot_be_said_is_an_error(code: int, reason: str) -> None:
    raised: list[ValueError] = []

    async def converse(socket: WebSocket) -> None:
        try:
            await socket.close(code, reason)
        except ValueError as error:
            raised.append(error)

    async with serving(talking(converse)) as server, dial(server) as client:
        await client.wait_closed()
        assert client.close_code == 1000
    assert len(raised) == 1


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\x81\x82\0\0\0\0\xff\xff", 1007),  # text that is no UTF-8
        (b"\x01\x81\0\0\0\0\xc3\x80\x81\0\0\0\0\xff", 1007),  # the same, in two fragments
        (b"\x81\x01a", 1002),  # not masked
        (b"\x83\x80\0\0\0\0", 1002),  # an opcode that nobody has defined
        (b"\xc1\x80\0\0\0\0", 1002),  # a bit that was not agreed on
        (b"\x80\x80\0\0\0\0", 1002),  # a continuation of nothing
        (b"\x88\x81\0\0\0\0a", 1002),  # a goodbye of one byte
        (b"\x89\xfe\0\x7e\0\0\0\0" + b"a" * 126, 1002),  # a ping that is too long
    ],
)
async def test_frames_that_break_the_rules_end_it(sent: bytes, code: int) -> None:
    ending = Ending()
    async with serving(talking(ending)) as server, Wire(server) as wire:
        await wire.ask(request("GET", "/", None, *HANDSHAKE))
        await wire.send(sent)
        answer = await wire.closed()
        assert answer[0] == 0x88
        assert int.from_bytes(answer[2:4], "big") == code
        async with asyncio.timeout(PATIENCE_SECONDS):
            await ending.over.wait()


async def test_a_message_over_its_limit_is_closed_with_1009() -> None:
    async with serving(talking(message_bytes=1000)) as server:
        async with dial(server) as client:
            await client.send("a" * 1000)
            assert await client.recv() == "a" * 1000
            await client.send("a" * 1001)
            await client.wait_closed()
            assert client.close_code == 1009
        async with dial(server) as client:
            await client.send(["a" * 600, "a" * 600])
            await client.wait_closed()
            assert client.close_code == 1009


# Flow.


async def test_a_ping_is_answered() -> None:
    async with serving(talking()) as server, dial(server) as client, asyncio.timeout(PATIENCE_SECONDS):
        assert await (await client.ping()) >= 0


async def test_silence_is_met_with_a_ping_and_then_the_end() -> None:
    clock, ending = FakeClock(), Ending()
    async with serving(talking(ending), clock=clock, ping_seconds=20) as server, Wire(server) as wire:
        await wire.ask(request("GET", "/", None, *HANDSHAKE))
        clock.advance(22)
        assert await wire.reader.readexactly(2) == b"\x89\0"
        await wire.send(b"\x8a\x80\0\0\0\0")  # pong
        await settled()
        clock.advance(22)
        assert await wire.reader.readexactly(2) == b"\x89\0"
        clock.advance(22)
        assert await wire.closed() == b""
        await ending.over.wait()


async def test_a_client_that_does_not_say_goodbye_back_is_cut() -> None:
    clock = FakeClock()

    async def converse(socket: WebSocket) -> None:
        await socket.close()

    async with serving(talking(converse), clock=clock) as server, Wire(server) as wire:
        await wire.ask(request("GET", "/", None, *HANDSHAKE))
        await wire.reader.readexactly(4)
        clock.advance(7)
        assert await wire.closed() == b""
        await until(lambda: server.connections == 0)


async def test_a_slow_conversation_holds_the_client_back() -> None:
    go_on = asyncio.Event()
    received = 0

    async def converse(socket: WebSocket) -> None:
        nonlocal received
        await go_on.wait()
        async for message in socket:
            received += len(message)

    async with serving(talking(converse)) as server, dial(server, compression=None) as client:
        sending = asyncio.create_task(client.send([b"x" * 65536] * 16))

        async def flood() -> None:
            for _ in range(500):
                await client.send(b"x" * 65536)

        await sending
        flooding = asyncio.create_task(flood())
        done, _ = await asyncio.wait([flooding], timeout=0.2)
        assert not done
        go_on.set()
        await flooding
        await until(lambda: received == 516 * 65536)


async def test_small_messages_that_are_large_inside_wait_until_they_are_wanted() -> None:
    go_on, count = asyncio.Event(), 0

    async def converse(socket: WebSocket) -> None:
        nonlocal count
        await go_on.wait()
        async for message in socket:
            assert len(message) == 1 << 20
            count += 1

    async with serving(talking(converse)) as server, dial(server) as client:
        tracemalloc.start()
        try:
            for _ in range(100):
                await client.send(bytes(1 << 20))  # about a kilobyte on the wire
            await settled()  # all that is read is read
            held = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert held < 16 << 20
        go_on.set()
        await client.close()
        await until(lambda: count == 100)


async def test_fragments_of_nothing_are_nothing_to_keep() -> None:
    async with serving(talking()) as server, Wire(server) as wire:
        await wire.ask(request("GET", "/", None, *HANDSHAKE))
        await wire.send(b"\x01\x80\0\0\0\0" + b"\x00\x80\0\0\0\0" * 10_000 + b"\x80\x81\0\0\0\0a")
        assert await wire.reader.readexactly(3) == b"\x81\x01a"


async def test_a_slow_client_holds_the_conversation_back() -> None:
    sent = 0

    async def converse(socket: WebSocket) -> None:
        nonlocal sent
        while True:
            await socket.send(b"x" * 65536)
            sent += 1

    async with serving(talking(converse)) as server, Wire(server) as wire:
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await wire.send(request("GET", "/", None, *HANDSHAKE))
        await until(lambda: sent)
        before = -1
        while before != sent:
            before = sent
            await settled()
        assert sent * 65536 < 64 << 20
        wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
        await until(lambda: sent > before)


async def test_drain_says_goodbye_with_1001_and_waits_for_the_conversation() -> None:
    finished = []

    async def converse(socket: WebSocket) -> None:
        async for _ in socket:
            pass
        await asyncio.sleep(0)
        finished.append(True)

    async with serving(talking(converse)) as server, dial(server) as client:
        await server.drain(10)
        assert finished == [True]
        await client.wait_closed()
        assert client.close_code == 1001


async def test_a_conversation_that_does_not_end_is_cancelled_at_the_deadline() -> None:
    clock, cancelled = FakeClock(), []

    async def converse(_: WebSocket) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async with serving(talking(converse), clock=clock) as server, dial(server):
        draining = asyncio.create_task(server.drain(20))
        await clock.scheduled(2)
        clock.advance(21)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await draining
    assert cancelled == [True]


async def test_a_websocket_goes_through_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with serving(talking(), tls=tls_context(str(tmp_path / "both.pem"))) as server:
        url = f"wss://localhost:{port_of(server)}/"
        async with connect(url, ssl=trusting, proxy=None) as client:
            await client.send("hello")
            assert await client.recv() == "hello"


async def test_many_websockets_are_served_side_by_side() -> None:
    async with serving(talking()) as server:

        async def one(number: int) -> None:
            async with dial(server) as client:
                for turn in range(20):
                    await client.send(f"{number} {turn}")
                    assert await client.recv() == f"{number} {turn}"

        async with asyncio.TaskGroup() as group:
            for number in range(32):
                group.create_task(one(number))
        await until(lambda: server.connections == 0)
