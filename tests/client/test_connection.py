"""Addresses, certificates, and what stays secret."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
import trustme
from tests.client.conftest import AT_ONCE
from tests.client.fake_host import RUN, FakeHost, answer

from penstock.client import AsyncClient, Client
from penstock.core.errors import HostAway, SettingsError


@pytest.mark.parametrize(
    "url",
    ["host:8370", "ftp://host", "http://", "http:///x", "unix:/x", "http://[::1", "http://a b"],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="is not the address of a host"):
        Client(url)


def test_an_address_with_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError, match="more than its scheme") as caught:
        Client("http://ada:secret@host:8370")
    assert "secret" not in str(caught.value)


def test_a_host_may_stand_behind_a_path(host: FakeHost) -> None:
    with Client("https://host.test/flows/", transport=httpx2.MockTransport(host)) as client:
        host.answers("GET", "/runs/f1", answer(RUN))
        with pytest.raises(Exception, match="nothing is here"):
            client.run("f1").show()
    assert str(host.last.url) == "https://host.test/flows/api/v1/runs/f1"


@pytest.mark.parametrize("make", [Client, AsyncClient])
def test_a_client_does_not_show_its_token(make: Any) -> None:
    client = make("http://host.test", token="secret")
    shown = [repr(client), repr(client.run("f1")), repr(client._connection), repr(client.__dict__)]
    assert not any("secret" in text for text in shown)


def test_a_ca_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for path in (tmp_path / "ca.pem", tmp_path / "missing.pem"):
        with pytest.raises(SettingsError, match=path.name):
            Client("https://host.test", ca_file=path)


class Secured(NamedTuple):
    url: str
    ca_file: Path


@pytest.fixture
async def secured(tmp_path: Path) -> AsyncIterator[Secured]:
    """A server with a certificate that nobody trusts yet."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b'{"name": "zen"}'
        writer.write(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        writer.close()

    server = await asyncio.start_server(respond, "localhost", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield Secured(f"https://localhost:{port}", tmp_path / "ca.pem")


async def test_a_host_is_trusted_by_its_ca_file(secured: Secured) -> None:
    async with AsyncClient(secured.url, ca_file=secured.ca_file) as client:
        assert (await client.flow("zen")).name == "zen"


async def test_a_host_that_is_not_trusted_is_not_talked_to(secured: Secured) -> None:
    async with AsyncClient(secured.url, retry=AT_ONCE) as client:
        with pytest.raises(HostAway, match="certificate verify failed"):
            await client.flow("zen")


async def test_any_host_is_talked_to_where_one_insists(secured: Secured) -> None:
    async with AsyncClient(secured.url, insecure=True) as client:
        assert (await client.flow("zen")).name == "zen"
