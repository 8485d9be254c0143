"""Listeners and webhooks on real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import trustme
from tests.kinds.conftest import make
from tests.kinds.http.fakes import FakeContext, Graph
from tests.kinds.triggers import stop

from penstock.core.errors import ListenError, NodeError
from penstock.engine.observer import Observer, Subject
from penstock.kinds.http.listener import Listener
from penstock.kinds.http.webhook import Webhook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BOUND = 5.0
"""Seconds after which something that should happen is taken not to."""


class Client:
    """A client of one node."""

    def __init__(self, node: Any, ctx: FakeContext, session: aiohttp.ClientSession) -> None:
        self.node = node
        self.ctx = ctx
        self.session = session
        self.url = node.origin()

    async def ask(self, method: str = "GET", path: str = "/", **more: Any) -> tuple[int, bytes]:
        async with self.session.request(method, f"{self.url}{path}", **more) as response:
            return response.status, await response.read()


@asynccontextmanager
async def serve(
    kind: type[Listener | Webhook] = Listener,
    *,
    ctx: FakeContext | None = None,
    trust: ssl.SSLContext | bool = True,
    config: dict[str, Any] | None = None,
    **ports: Graph,
) -> AsyncIterator[Client]:
    node = make(kind, **{"port": 0, "drain": 1, **(config or {})})
    ctx = ctx or FakeContext(ports)
    await node.load()
    try:
        await node.open(ctx)
        connector = aiohttp.TCPConnector(ssl=trust)
        async with aiohttp.ClientSession(connector=connector) as session:
            yield Client(node, ctx, session)
    finally:
        await stop(node)
        await node.unload()


async def test_a_request_comes_in_and_its_answer_goes_out() -> None:
    async with serve(out=lambda payload: {"body": payload["body"], "status": 201}) as client:
        assert await client.ask("POST", json={"a": [None, 1]}) == (201, b'{"a":[null,1]}')


async def test_a_request_looks_as_documented() -> None:
    async with serve(out=lambda payload: payload) as client:
        _, body = await client.ask("PUT", "/a%20b?c=d", data=b"x", headers={"X-A": "1"})

    found = json.loads(body)
    assert found["headers"]["x-a"] == "1"
    assert found.pop("host") == client.url.removeprefix("http://")
    assert {
        name: found[name] for name in ("method", "path", "query", "protocol", "client", "scheme")
    } == {
        "method": "PUT",
        "path": "/a%20b",
        "query": {"c": "d"},
        "protocol": "HTTP/1.1",
        "client": "127.0.0.1",
        "scheme": "http",
    }


async def test_head_says_what_get_would_without_the_body() -> None:
    async with serve(out=lambda payload: "hello") as client, client.session.head(client.url) as response:
        assert (response.status, response.headers["Content-Length"]) == (200, "5")
        assert await response.read() == b""


async def test_a_malformed_body_is_a_400_that_says_what() -> None:
    async with serve(out=lambda payload: "asked") as client:
        headers = {"Content-Type": "application/json"}
        status, body = await client.ask("POST", data=b'{"a": \xff}', headers=headers)

    problem = json.loads(body)
    assert status == problem["status"] == 400
    assert "not UTF-8" in problem["detail"]
    assert client.ctx.asked == []


async def test_a_form_with_a_file_comes_in() -> None:
    form = aiohttp.FormData()
    form.add_field("name", "é")
    form.add_field("file", b"\0" * 300_000, filename="zeros", content_type="application/x-zero")

    async with serve(out=lambda payload: payload["body"]["name"]) as client:
        assert await client.ask("POST", data=form) == (200, "é".encode())
        ((_, payload),) = client.ctx.asked
        assert payload["body"]["file"] == {
            "filename": "zeros",
            "content_type": "application/x-zero",
            "data": b"\0" * 300_000,
        }


async def test_a_body_over_the_limit_is_413() -> None:
    async with serve(config={"limits": {"body_bytes": 10}}, out=lambda payload: "ok") as client:
        assert (await client.ask("POST", data=b"x" * 10))[0] == 200
        assert (await client.ask("POST", data=b"x" * 11))[0] == 413
        assert len(client.ctx.asked) == 1


async def test_a_failure_is_a_500_without_internals() -> None:
    def boom(payload: Any) -> None:
        raise NodeError("hunter2", code="boom")

    async with serve(out=boom) as client:
        status, body = await client.ask()

    assert (status, b"hunter2" in body) == (500, False)
    assert json.loads(body)["id"] == client.ctx.warnings[0][1]["id"]


@pytest.mark.parametrize(("compress", "coding"), [(True, "gzip"), (False, None)])
async def test_answers_are_compressed_when_that_is_asked_for(compress: bool, coding: str | None) -> None:
    async with serve(config={"compress": compress}, out=lambda payload: "a" * 5000) as client:
        headers = {"Accept-Encoding": "gzip"}
        async with client.session.get(client.url, headers=headers) as response:
            assert response.headers.get("Content-Encoding") == coding
            assert await response.text() == "a" * 5000


async def test_a_client_that_leaves_cancels_its_process() -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def never(payload: Any) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with serve(out=never) as client:
        task = asyncio.create_task(client.ask())
        await asyncio.wait_for(begun.wait(), BOUND)
        task.cancel()
        await asyncio.wait_for(cancelled.wait(), BOUND)


async def test_closing_waits_for_what_was_begun() -> None:
    begun, going = asyncio.Event(), asyncio.Event()

    async def slow(payload: Any) -> str:
        begun.set()
        await going.wait()
        return "done"

    async with serve(out=slow) as client:
        task = asyncio.create_task(client.ask())
        await asyncio.wait_for(begun.wait(), BOUND)
        closing = asyncio.create_task(stop(client.node))
        await asyncio.sleep(0)
        assert not closing.done()
        going.set()
        assert await task == (200, b"done")
        await asyncio.wait_for(closing, BOUND)


async def test_closing_waits_no_longer_than_the_drain() -> None:
    begun = asyncio.Event()

    async def never(payload: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with serve(config={"drain": "10ms"}, out=never) as client:
        task = asyncio.create_task(client.ask())
        await asyncio.wait_for(begun.wait(), BOUND)
        await asyncio.wait_for(stop(client.node), BOUND)
        with pytest.raises(aiohttp.ClientError):
            await task


async def test_a_port_that_is_taken_is_said() -> None:
    async with serve(out=lambda payload: None) as client:
        port = client.node.addresses[0][1]
        second = make(Listener, port=port)
        with pytest.raises(ListenError, match=str(port)):
            await second.load()
        await second.unload()


async def test_a_port_is_free_again_afterwards() -> None:
    async with serve(out=lambda payload: None) as client:
        port = client.node.addresses[0][1]
    async with serve(config={"port": port}, out=lambda payload: None) as client:
        assert (await client.ask())[0] == 204


async def test_it_says_where_it_listens() -> None:
    async with serve(out=lambda payload: None) as client:
        assert client.node.describe() == f"http://127.0.0.1:{client.node.addresses[0][1]}"
    assert client.node.describe() == ""


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
async def test_an_ipv6_address_is_written_in_brackets() -> None:
    async with serve(config={"host": "::1"}, out=lambda payload: None) as client:
        assert client.node.describe() == f"http://[::1]:{client.node.addresses[0][1]}"


@pytest.fixture
def certificates(tmp_path: Path) -> tuple[dict[str, str], ssl.SSLContext]:
    """The files of a server, and a client that trusts it."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    return {name: str(tmp_path / f"{name}.pem") for name in ("cert", "key", "ca")}, trust


async def test_tls_is_spoken(certificates: tuple[dict[str, str], ssl.SSLContext]) -> None:
    files, trust = certificates
    tls = {name: files[name] for name in ("cert", "key")}

    async with serve(config={"tls": tls}, trust=trust, out=lambda payload: payload["scheme"]) as client:
        assert client.node.describe().startswith("https://127.0.0.1:")
        assert await client.ask() == (200, b"https")


async def test_a_client_without_a_certificate_of_the_authority_is_not_let_in(
    certificates: tuple[dict[str, str], ssl.SSLContext],
) -> None:
    files, trust = certificates

    async with serve(config={"tls": files}, trust=trust, out=lambda payload: "in") as client:
        with pytest.raises((aiohttp.ClientError, OSError)):
            await client.ask()
        assert client.ctx.asked == []
        trust.load_cert_chain(files["cert"], files["key"])
        assert await client.ask() == (200, b"in")


async def test_a_certificate_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    node = make(Listener, port=0, tls={"cert": str(tmp_path / "none"), "key": str(tmp_path / "none")})

    with pytest.raises(ListenError, match="none"):
        await node.load()


class Counter(Observer):
    def __init__(self) -> None:
        self.websockets: list[int] = []
        self.statuses: list[int] = []

    def websockets_open(self, listener: Subject, change: int) -> None:
        self.websockets.append(change)

    def request_done(self, listener: Subject, method: str, status: int, *sizes: float) -> None:
        self.statuses.append(status)


async def test_an_observer_hears_of_requests_and_websockets() -> None:
    observer = Counter()
    ctx = FakeContext({"out": lambda payload: None, "message": lambda payload: None}, observer=observer)

    async with serve(ctx=ctx) as client:
        await client.ask()
        async with client.session.ws_connect(client.url):
            pass

    assert observer.statuses == [204, 101]
    assert observer.websockets == [1, -1]


async def test_messages_of_a_websocket_are_answered_in_order() -> None:
    answers = {
        "number": {"a": [None]},
        "text": "é",
        "bytes": b"\0",
        "nothing": None,
        "response": {"body": 1},
    }

    async def find(payload: Any) -> Any:
        await asyncio.sleep(0)
        return answers[payload["body"]]

    async with serve(message=find) as client, client.session.ws_connect(client.url) as ws:
        for message in answers:
            await ws.send_str(message)
        received = [(await ws.receive(BOUND)).data for _ in range(4)]

    assert received == ['{"a":[null]}', "é", b"\0", "1"]


async def test_a_message_brings_its_handshake_along() -> None:
    ctx = FakeContext({"message": lambda payload: None})

    async with (
        serve(ctx=ctx) as client,
        client.session.ws_connect(f"{client.url}/chat?room=a", headers={"X-A": "1"}) as ws,
    ):
        await ws.send_str("hello")
        await ws.send_bytes(b"\0")
    (_, first), (_, second) = ctx.asked

    assert (first["body"], second["body"]) == ("hello", b"\0")
    assert (first["path"], first["query"], first["headers"]["x-a"]) == ("/chat", {"room": "a"}, "1")
    assert first["connection"] == second["connection"] != ""


async def test_what_connect_answers_is_the_first_message() -> None:
    async with (
        serve(connect=lambda payload: "welcome") as client,
        client.session.ws_connect(client.url) as ws,
    ):
        assert (await ws.receive(BOUND)).data == "welcome"


@pytest.mark.parametrize("status", [401, 500])
async def test_connect_may_refuse(status: int) -> None:
    def refuse(payload: Any) -> Any:
        if status == 500:
            raise NodeError("no", code="no")
        return {"status": status}

    async with serve(connect=refuse, message=lambda payload: None) as client:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await client.session.ws_connect(client.url)
        assert caught.value.status == status


async def test_disconnect_hears_how_it_ended() -> None:
    ended: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async with serve(disconnect=ended.set_result) as client, client.session.ws_connect(client.url) as ws:
        await ws.close(code=4001, message=b"tired")
        payload = await asyncio.wait_for(ended, BOUND)

    assert (payload["code"], payload["reason"]) == (4001, "tired")


async def test_a_message_that_fails_closes_the_websocket_and_tells_an_id() -> None:
    def boom(payload: Any) -> None:
        raise NodeError("hunter2", code="boom")

    async with serve(message=boom) as client, client.session.ws_connect(client.url) as ws:
        await ws.send_str("hello")
        message = await ws.receive(BOUND)

        ((_, facts),) = client.ctx.warnings
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1011)
        assert message.extra == f"the message could not be answered; id {facts['id']}"


async def test_closing_says_goodbye_to_websockets() -> None:
    async with (
        serve(message=lambda payload: None) as client,
        client.session.ws_connect(client.url) as ws,
    ):
        closing = asyncio.create_task(stop(client.node))
        message = await ws.receive(BOUND)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)
        await ws.close()
        await asyncio.wait_for(closing, BOUND)


async def test_a_webhook_may_have_a_port_of_its_own() -> None:
    async with serve(Webhook, config={"path": "/hook"}, out=lambda payload: None) as client:
        assert client.node.describe() == f"POST {client.url}/hook"
        assert (await client.ask("POST", "/hook", json=[1]))[0] == 202
        assert (await client.ask("GET", "/hook"))[0] == 405
        assert client.ctx.submitted[0][0]["body"] == [1]


async def test_a_webhook_that_is_not_signed_is_401() -> None:
    config = {"path": "/hook", "signature": {"secret": "s"}}
    async with serve(Webhook, config=config, out=lambda payload: None) as client:
        status, body = await client.ask("POST", "/hook", json=[1])

    assert status == 401
    assert "x-hub-signature-256" in json.loads(body)["detail"]
