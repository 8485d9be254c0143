"""ASGI applications over real sockets: websockets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket, WebSocketDisconnect
from tests.server.applied import applied, websockets
from tests.server.serving import Wire, port_of, request, until
from tests.server.test_websockets import HANDSHAKE, dial
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from penstock.core.errors import ClientGone

if TYPE_CHECKING:
    from penstock.server.asgi.words import Message, Receive, Scope, Send


async def test_messages_go_both_ways() -> None:
    async def parrot(socket: WebSocket) -> None:
        await socket.accept()
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                break
            await socket.send({**message, "type": "websocket.send"})

    async with applied(websockets(parrot)) as server, dial(server) as client:
        for message in ("hello", "é" * 1000, b"\0\1", "", b"", "x" * 500_000):
            await client.send(message)
            assert await client.recv() == message


async def test_an_accepted_websocket_has_its_subprotocol_and_headers() -> None:
    seen: dict[str, Any] = {}

    async def choose(socket: WebSocket) -> None:
        seen.update(socket.scope)
        await socket.accept("two", [(b"X-Room", b"1")])
        await socket.send_text("in")
        await socket.close(3001, "enough")

    offered = [Subprotocol("one"), Subprotocol("two")]
    async with (
        applied(websockets(choose)) as server,
        dial(server, "/room?a=b", subprotocols=offered) as client,
    ):
        assert client.subprotocol == "two"
        assert client.response is not None
        assert client.response.headers["X-Room"] == "1"
        assert await client.recv() == "in"
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (3001, "enough")
    assert (seen["scheme"], seen["subprotocols"], seen["query_string"]) == ("ws", ["one", "two"], b"a=b")


async def test_the_application_hears_how_the_client_closed() -> None:
    heard: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    async def listen(socket: WebSocket) -> None:
        await socket.accept()
        try:
            await socket.receive_text()
        except WebSocketDisconnect as left:
            heard.set_result((left.code, left.reason))

    async with applied(websockets(listen)) as server:
        async with dial(server) as client:
            await client.close(4000, "bye")
        assert await asyncio.wait_for(heard, 10) == (4000, "bye")


async def test_sending_to_a_client_that_left_is_an_oserror() -> None:
    raised: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            return
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        try:
            await send({"type": "websocket.send", "text": "hello?"})
        except OSError as error:
            raised.set_result(error)

    async with applied(app) as server:
        async with dial(server):
            pass
        assert isinstance(await asyncio.wait_for(raised, 10), ClientGone)


async def test_a_websocket_may_be_refused() -> None:
    async def refuse(socket: WebSocket) -> None:
        await socket.close()

    async with applied(websockets(refuse)) as server:
        with pytest.raises(InvalidStatus, match="403"):
            async with dial(server):
                pass


async def test_a_websocket_may_be_refused_with_an_answer() -> None:
    async def refuse(socket: WebSocket) -> None:
        await socket.send_denial_response(PlainTextResponse("who are you?", 401, {"X-Why": "name"}))

    async with applied(websockets(refuse)) as server, Wire(server) as wire:
        answer = await wire.ask(request("GET", "/", None, *HANDSHAKE))
        assert (answer.status, answer.headers["x-why"], answer.body) == (401, "name", b"who are you?")


async def test_a_path_that_nobody_serves_is_refused() -> None:
    async with applied(Starlette()) as server:
        with pytest.raises(InvalidStatus, match="403"):
            async with dial(server):
                pass


async def test_a_handshake_with_mistakes_reaches_no_application() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"

    async with applied(app) as server, Wire(server) as wire:
        assert (await wire.ask(request("GET", "/", None, *HANDSHAKE[:3]))).status == 400


async def test_an_exception_closes_the_websocket_with_1011(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(socket: WebSocket) -> None:
        await socket.accept()
        raise ValueError("broken")

    async with applied(websockets(fail)) as server, dial(server) as client:
        with pytest.raises(ConnectionClosed, match="1011"):
            await client.recv()
    assert "broken" in caplog.text


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"type": "websocket.send", "text": "early"}],
        [{"type": "websocket.accept", "headers": [(b"x", b"a\r\nb")]}],
        [{"type": "websocket.http.response.body"}],
    ],
    ids=["nothing", "send", "header", "body"],
)
async def test_a_websocket_that_is_not_accepted_rightly_is_a_500(
    messages: list[Message], caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            for message in messages:
                await send(message)

    async with applied(app) as server:
        with pytest.raises(InvalidStatus, match="500"):
            async with dial(server):
                pass
    assert "the handler failed" in caplog.text


async def test_a_drain_says_goodbye_to_websockets_and_waits_for_the_application() -> None:
    over = asyncio.Event()

    async def listen(socket: WebSocket) -> None:
        await socket.accept()
        async for _ in socket.iter_text():
            pass
        over.set()

    async with applied(websockets(listen)) as server, dial(server) as client:
        await until(lambda: server.connections)
        draining = asyncio.ensure_future(server.drain(10))
        with pytest.raises(ConnectionClosed, match="1001"):
            await client.recv()
        await draining
        assert over.is_set()


async def test_a_server_that_closes_cancels_the_application_of_a_websocket() -> None:
    entered, cancelled = asyncio.Event(), asyncio.Event()

    async def wait(socket: WebSocket) -> None:
        await socket.accept()
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with applied(websockets(wait)) as server, Wire(server) as wire:
        await wire.ask(request("GET", "/", None, *HANDSHAKE))
        await entered.wait()
        await server.close()
        assert cancelled.is_set()
        assert port_of(server)
