from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from penstock.core.errors import NodeError
from penstock.kinds.http.address import masked
from penstock.kinds.http.body import decode
from penstock.kinds.http.request import HttpRequest

from .conftest import Fire, RecordingContext, make
from .http_server import Server, serve

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serve() as running:
        yield running


async def failure(fire: Fire, node: Any, **fed: Any) -> NodeError:
    with pytest.raises(NodeError) as caught:
        await fire(node, **fed)
    assert caught.value.remedy
    return caught.value


# --- what is sent -----------------------------------------------------------------


async def test_a_request_says_what_it_does(fire: Fire, ctx: RecordingContext, server: Server) -> None:
    outputs = await fire(make(HttpRequest), url=f"{server.url}/json")
    assert ctx.messages == [f"GET {server.url}/json"]
    assert outputs["status"] == 200
    assert outputs["headers"]["content-type"] == "application/json; charset=utf-8"


async def test_config_and_ports_make_the_request(fire: Fire, server: Server) -> None:
    node = make(
        HttpRequest,
        url=f"{server.url}/json?a=1#part",
        method="put",
        headers={"X-Count": 3},
        query={"b": [2, 3], "c": None, "d": True, "e": "ä &"},
    )
    await fire(node, body={"n": 1})
    method, path, headers, body = server.requests[0]
    assert (method, path) == ("PUT", "/json?a=1&b=2&b=3&d=true&e=%C3%A4+%26")
    assert (headers["x-count"], headers["content-type"], body) == ("3", "application/json", b'{"n":1}')
    assert headers["user-agent"].startswith("penstock/")


@pytest.mark.parametrize(
    ("body", "headers", "content_type", "sent"),
    [
        ("é", {}, "text/plain; charset=utf-8", "é".encode()),
        (b"\x00", {}, "application/octet-stream", b"\x00"),
        ([1], {}, "application/json", b"[1]"),
        ("é", {"content-type": "text/csv; charset=latin-1"}, "text/csv; charset=latin-1", b"\xe9"),
        (
            {"a": "1 2", "b": [3, 4]},
            {"Content-Type": "application/x-www-form-urlencoded"},
            "application/x-www-form-urlencoded",
            b"a=1+2&b=3&b=4",
        ),
    ],
)
async def test_a_body_goes_in_the_form_its_type_asks_for(
    fire: Fire, server: Server, body: Any, headers: dict[str, str], content_type: str, sent: bytes
) -> None:
    await fire(make(HttpRequest, method="POST"), url=f"{server.url}/json", body=body, headers=headers)
    assert server.requests[0][2]["content-type"] == content_type
    assert server.requests[0][3] == sent


async def test_only_what_may_not_be_repeated_carries_the_key(fire: Fire, server: Server) -> None:
    url = f"{server.url}/json"
    await fire(make(HttpRequest, method="POST"), url=url)
    await fire(make(HttpRequest), url=url)
    await fire(make(HttpRequest, method="POST", idempotency_key=False), url=url)
    await fire(make(HttpRequest, method="POST", headers={"Idempotency-Key": "mine"}), url=url)
    keys = [headers.get("idempotency-key") for _, _, headers, _ in server.requests]
    assert keys == ["run-1:node-1", None, None, "mine"]


async def test_requests_of_a_node_share_a_connection_and_no_cookies(fire: Fire, server: Server) -> None:
    node = make(HttpRequest, url=f"{server.url}/cookies")
    first = await fire(node)
    await fire(node)
    assert server.peers[0] == server.peers[1]
    assert "cookie" not in server.requests[1][2]
    assert [cookie.partition(";")[0] for cookie in first["headers"]["set-cookie"]] == ["one=1", "two=2"]
    assert first["headers"]["x-many"] == "a, b"


# --- what comes back --------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "how", "body"),
    [
        ("json", "auto", '{"name": "Ada", "tags": ["\\u00e9"]}'),
        ("json", "json", {"name": "Ada", "tags": ["é"]}),
        ("json", "bytes", b'{"name": "Ada", "tags": ["\\u00e9"]}'),
        ("text", "auto", "é"),
        ("binary", "auto", b"\x00\xff"),
        ("binary", "text", "\x00\ufffd"),
        ("empty", "auto", ""),
        ("empty", "json", None),
    ],
)
async def test_the_body_is_decoded_by_its_type_or_as_told(
    fire: Fire, server: Server, path: str, how: str, body: Any
) -> None:
    outputs = await fire(make(HttpRequest, decode=how), url=f"{server.url}/{path}")
    assert outputs["body"] == body


@pytest.mark.parametrize(("data", "body"), [(b"plain \xc3\xa9", "plain é"), (b"\x00\xff", b"\x00\xff")])
def test_a_body_without_a_type_is_text_when_it_reads_as_utf_8(data: bytes, body: Any) -> None:
    assert decode(data, "", "auto") == body


async def test_a_body_that_is_not_the_json_it_claims_to_be_is_told(fire: Fire, server: Server) -> None:
    error = await failure(fire, make(HttpRequest, decode="json"), url=f"{server.url}/broken")
    assert error.code == "http.decode"
    assert error.details["column"] == 2


async def test_a_status_of_400_or_above_fails_unless_told_otherwise(fire: Fire, server: Server) -> None:
    url = f"{server.url}/status?code=404"
    error = await failure(fire, make(HttpRequest), url=url)
    assert error.code == "http.status"
    assert error.message == f"GET {url} was answered with 404 Not Found"
    assert error.details == {"status": 404, "url": url, "body": "no such thing"}
    wants_json = await failure(fire, make(HttpRequest, decode="json"), url=url)
    assert wants_json.code == "http.status"
    outputs = await fire(make(HttpRequest, fail_on_status=False), url=url)
    assert (outputs["status"], outputs["body"]) == (404, "no such thing")


@pytest.mark.parametrize("path", ["endless", "bomb", "json"])
async def test_a_body_beyond_the_limit_is_refused_after_decompression(
    fire: Fire, server: Server, path: str
) -> None:
    limit = 10 if path == "json" else 1_000_000
    error = await failure(fire, make(HttpRequest, max_size_bytes=limit), url=f"{server.url}/{path}")
    assert error.code == "http.size"
    assert f"longer than {limit:,} bytes" in error.message


async def test_redirects_are_followed_up_to_a_limit_or_not_at_all(fire: Fire, server: Server) -> None:
    url = f"{server.url}/redirect?to=/json"
    assert (await fire(make(HttpRequest), url=url))["status"] == 200
    assert (await fire(make(HttpRequest, follow_redirects=False), url=url))["status"] == 302
    around = f"{server.url}/redirect?to=/redirect"
    server.requests.clear()
    error = await failure(
        fire, make(HttpRequest, max_redirects=1), url=f"{server.url}/redirect?to={around}"
    )
    assert error.code == "http.redirects"
    assert len(server.requests) == 1


# --- what goes wrong --------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/path",
        "ftp://example.com",
        "http://",
        "http://a b/",
        "http://h:99999/",
        "http://h/\n",
    ],
)
async def test_an_address_that_cannot_be_used_is_told_before_anything_is_sent(
    fire: Fire, url: str
) -> None:
    assert (await failure(fire, make(HttpRequest), url=url)).code == "http.url"


async def test_a_server_that_is_not_there_is_told(fire: Fire) -> None:
    async with serve() as gone:
        url = gone.url
    error = await failure(fire, make(HttpRequest), url=url)
    assert error.code == "http.connect"
    assert "Connection refused" in error.message


async def test_a_host_that_nobody_knows_is_told(fire: Fire, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*_: Any, **__: Any) -> Any:
        raise OSError(-2, "Name or service not known")

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "getaddrinfo", unknown)
    error = await failure(fire, make(HttpRequest), url="http://nobody.invalid/")
    assert (error.code, "`nobody.invalid` is not known" in error.message) == ("http.connect", True)


async def test_a_silent_server_is_told_after_the_read_timeout(fire: Fire, server: Server) -> None:
    error = await failure(fire, make(HttpRequest, read_timeout="50ms"), url=f"{server.url}/never")
    assert error.code == "http.timeout"


async def test_what_is_not_http_is_told(fire: Fire) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as mail:
        port = mail.sockets[0].getsockname()[1]
        error = await failure(fire, make(HttpRequest), url=f"http://127.0.0.1:{port}/")
    assert error.code in {"http.protocol", "http.connection"}


async def test_a_header_with_a_line_break_is_refused(fire: Fire, server: Server) -> None:
    error = await failure(fire, make(HttpRequest, headers={"X": "a\r\nY: b"}), url=f"{server.url}/json")
    assert error.code == "http.headers"
    assert "Y: b" not in str(error)
    assert server.requests == []


async def test_cancelling_a_request_is_prompt_and_frees_the_server(fire: Fire, server: Server) -> None:
    task = asyncio.create_task(fire(make(HttpRequest), url=f"{server.url}/never"))
    await server.stuck.wait()
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 0.1
    async with asyncio.timeout(5):
        await server.freed.wait()


async def test_the_proxy_of_the_environment_is_asked_unless_no_proxy_says_otherwise(
    fire: Fire, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    await fire(make(HttpRequest), url="http://elsewhere.invalid/json")
    assert server.requests[0][2]["host"] == "elsewhere.invalid"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    await fire(make(HttpRequest), url=f"{server.url}/json")
    assert server.requests[1][2]["host"] == server.url.removeprefix("http://")


# --- secrets ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ada:pw@h/x?a=1", "https://***@h/x?a=1"),
        ("ada:pw@h/x@y", "***@h/x@y"),
        ("https://h/x?access_token=abc&page=2", "https://h/x?access_token=***&page=2"),
        (
            "https://h/?X-Amz-Signature=abc&apiKey=k&sig=s",
            "https://h/?X-Amz-Signature=***&apiKey=***&sig=***",
        ),
        ("https://h/?author=ada&keyboard=us&monkey=1", "https://h/?author=ada&keyboard=us&monkey=1"),
        ("https://h/?pass%77ord=abc#top", "https://h/?pass%77ord=***#top"),
        ("https://h/#access_token=abc&state=1?token=x", "https://h/#access_token=***&state=1?token=x"),
        ("https://ada:pw@h/" + "x" * 400, "https://***@h/" + "x" * 286 + "…"),
    ],
)
def test_secrets_in_an_address_are_masked_and_nothing_else(url: str, shown: str) -> None:
    assert masked(url) == shown


async def test_no_secret_reaches_a_message_or_an_error(
    fire: Fire, ctx: RecordingContext, server: Server
) -> None:
    url = server.url.replace("://", "://ada:hunter2@") + "/status?code=500&token=hunter3"
    error = await failure(fire, make(HttpRequest, query={"key": "hunter4"}), url=url)
    assert server.requests[0][2]["authorization"].startswith("Basic ")
    told = f"{ctx.messages} {error} {error.details}"
    assert "hunter" not in told
    assert "token=***&key=***" in told
    for broken in ("http://ada:hunter2@host:port/", "http://ada:hunter/2@host/", "ada:hunter2@host"):
        refused = await failure(fire, make(HttpRequest), url=broken)
        assert "hunter" not in str(refused)
        assert refused.__cause__ is None


# --- TLS --------------------------------------------------------------------------


class Certificates:
    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.ca = str(folder / "ca.pem")
        self.client = str(folder / "client.pem")
        self.authority.cert_pem.write_to_path(self.ca)
        self.authority.issue_cert("client@example.org").private_key_and_cert_chain_pem.write_to_path(
            self.client
        )

    def server(self, *, wants_client: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.authority.issue_cert("127.0.0.1").configure_cert(context)
        if wants_client:
            self.authority.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


async def test_a_server_is_trusted_by_its_authority_or_not_at_all(
    fire: Fire, certificates: Certificates
) -> None:
    async with serve(certificates.server()) as secure:
        url = f"{secure.url}/json"
        error = await failure(fire, make(HttpRequest), url=url)
        assert error.code == "http.tls"
        assert "certificate is not trusted" in error.message
        assert (await fire(make(HttpRequest, tls={"ca": certificates.ca}), url=url))["status"] == 200
        assert (await fire(make(HttpRequest, tls={"verify": False}), url=url))["status"] == 200


async def test_a_client_shows_its_certificate(fire: Fire, certificates: Certificates) -> None:
    async with serve(certificates.server(wants_client=True)) as strict:
        url = f"{strict.url}/json"
        shown = {"ca": certificates.ca, "cert": certificates.client}
        assert (await fire(make(HttpRequest, tls=shown), url=url))["status"] == 200
        error = await failure(fire, make(HttpRequest, tls={"ca": certificates.ca}), url=url)
        assert error.code in {"http.tls", "http.connection"}


async def test_a_tls_file_that_cannot_be_used_is_told(fire: Fire, tmp_path: Path) -> None:
    url = "https://127.0.0.1:1/"
    missing = await failure(fire, make(HttpRequest, tls={"ca": "/nowhere.pem"}), url=url)
    assert missing.message == "`tls.ca` names `/nowhere.pem`, which is not a file"
    (tmp_path / "bad.pem").write_text("not a certificate")
    bad = await failure(fire, make(HttpRequest, tls={"cert": str(tmp_path / "bad.pem")}), url=url)
    assert re.search("cannot be used", bad.message)
