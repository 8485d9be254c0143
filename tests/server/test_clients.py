"""The clients that people have, against the server as it is."""

from __future__ import annotations

import asyncio
import http.client
import json
import shutil
from collections.abc import AsyncIterator

import aiohttp
import pytest
from tests.server.serving import port_of, serving

from penstock.server.messages import Request, Response
from penstock.server.server import Server

PAYLOAD = {"numbers": list(range(2000)), "text": "é" * 1000}


async def mirror(request: Request) -> Response:
    """The body that came, as JSON, in one piece or streamed."""
    body = json.dumps({"method": request.method, "body": json.loads(await request.body() or b"null")})
    headers = [("Content-Type", "application/json")]

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000].encode()

    return Response(200, headers, pieces() if request.path == "/stream" else body.encode())


def url(server: Server, path: str = "/") -> str:
    return f"http://127.0.0.1:{port_of(server)}{path}"


@pytest.mark.parametrize("path", ["/", "/stream"])
async def test_aiohttp(path: str) -> None:
    async with (
        serving(mirror, compress_from_bytes=500) as server,
        aiohttp.ClientSession() as session,
    ):
        for chunked in (None, True):
            async with session.post(url(server, path), json=PAYLOAD, chunked=chunked) as answer:
                assert answer.headers["Content-Encoding"] in {"br", "gzip"}
                assert await answer.json() == {"method": "POST", "body": PAYLOAD}
        async with session.post(
            url(server, path), json=PAYLOAD, compress="gzip", expect100=True
        ) as answer:
            assert (await answer.json())["body"] == PAYLOAD


@pytest.mark.parametrize("path", ["/", "/stream"])
async def test_the_client_of_the_standard_library(path: str) -> None:
    async with serving(mirror) as server:

        def ask() -> list[object]:
            connection = http.client.HTTPConnection("127.0.0.1", port_of(server), timeout=10)
            found = []
            for method in ("GET", "POST", "DELETE"):
                connection.request(method, path, json.dumps(PAYLOAD))
                found.append(json.load(connection.getresponse()))
            connection.close()
            return found

        answers = await asyncio.to_thread(ask)
    assert answers == [{"method": method, "body": PAYLOAD} for method in ("GET", "POST", "DELETE")]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the program curl is not installed")
@pytest.mark.parametrize(
    "options", [(), ("--http1.0",), ("--http2",), ("--compressed",), ("-H", "Expect: 100-continue")]
)
async def test_curl(options: tuple[str, ...]) -> None:
    """Among other things, it offers HTTP/2 together with a body."""
    async with serving(mirror, compress_from_bytes=500) as server:
        process = await asyncio.create_subprocess_exec(
            "curl", "-sS", "--max-time", "10", "--noproxy", "*", "--data-binary", json.dumps(PAYLOAD),
            *options, url(server, "/stream"), stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, _ = await process.communicate()
    assert process.returncode == 0
    assert json.loads(output) == {"method": "POST", "body": PAYLOAD}
