"""TLS, with certificates of trustme and of openssl."""

from __future__ import annotations

import asyncio
import http.client
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from tests.server.serving import Wire, echo, echo_later, port_of, request, serving

from penstock.core.errors import ListenError
from penstock.server.messages import Request, Response
from penstock.server.tls import tls_context


class Certificates:
    """A certificate in files, and contexts of clients that trust it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        self.cert, self.key = str(folder / "cert.pem"), str(folder / "key.pem")
        self.ca = str(folder / "ca.pem")
        self.authority.cert_pem.write_to_path(self.ca)
        self.issue()

    def issue(self) -> None:
        """Write a new certificate into the files."""
        issued = self.authority.issue_cert("localhost")
        issued.private_key_pem.write_to_path(self.key)
        issued.cert_chain_pems[0].write_to_path(self.cert)

    def break_off(self) -> None:
        """Leave half a certificate, as while it is being written."""
        Path(self.cert).write_bytes(Path(self.cert).read_bytes()[:100])

    def remove(self) -> None:
        Path(self.cert).unlink()

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca)


@pytest.fixture
def certificates(tmp_path: Path) -> Iterator[Certificates]:
    yield Certificates(tmp_path)  # noqa: PT022 - mypy reads the type


def serial(wire: Wire) -> str:
    connection = wire.writer.get_extra_info("ssl_object")
    return str(connection.getpeercert()["serialNumber"])


async def test_requests_and_large_answers_go_through_tls(certificates: Certificates) -> None:
    body = bytes(range(256)) * 8192

    def handler(asked: Request) -> Response:
        assert asked.scheme == "https"
        return Response(200, [], body)

    tls = tls_context(certificates.cert, certificates.key)
    async with serving(handler, tls=tls) as server, Wire(server, certificates.client()) as wire:
        for _ in range(3):
            assert (await wire.ask(request())).body == body


async def test_large_bodies_come_through_tls(certificates: Certificates) -> None:
    tls = tls_context(certificates.cert, certificates.key)
    async with serving(echo_later, tls=tls) as server, Wire(server, certificates.client()) as wire:
        body = bytes(3 << 20)
        assert (await wire.ask(request("POST", "/", body))).body == b"POST / " + body


async def test_a_client_of_the_standard_library_is_served(certificates: Certificates) -> None:
    tls = tls_context(certificates.cert, certificates.key)
    async with serving(echo, tls=tls) as server:

        def ask() -> bytes:
            connection = http.client.HTTPSConnection(
                "localhost", port_of(server), context=certificates.client(), timeout=10
            )
            connection.request("GET", "/a")
            answer = connection.getresponse().read()
            connection.close()
            return answer

        assert await asyncio.to_thread(ask) == b"GET /a "


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_both_versions_are_spoken_with_forward_secrecy(
    certificates: Certificates, version: ssl.TLSVersion
) -> None:
    client = certificates.client()
    client.minimum_version = client.maximum_version = version
    tls = tls_context(certificates.cert, certificates.key)
    async with serving(echo, tls=tls) as server, Wire(server, client) as wire:
        cipher = wire.writer.get_extra_info("cipher")
        assert cipher[0].startswith(("ECDHE-", "TLS_"))
        assert (await wire.ask(request())).status == 200


async def test_older_versions_are_not(certificates: Certificates) -> None:
    client = certificates.client()
    with pytest.warns(DeprecationWarning, match=r"TLSv1_1 is deprecated"):
        client.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match=r"TLSv1_1 is deprecated"):
        client.maximum_version = ssl.TLSVersion.TLSv1_1
    client.set_ciphers("ALL:@SECLEVEL=0")
    tls = tls_context(certificates.cert, certificates.key)
    async with serving(echo, tls=tls) as server:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await Wire(server, client).__aenter__()


async def test_plain_http_to_a_tls_port_is_dropped(certificates: Certificates) -> None:
    tls = tls_context(certificates.cert, certificates.key)
    async with serving(echo, tls=tls) as server:
        async with Wire(server) as wire:
            await wire.send(request())
            await wire.closed()
        async with Wire(server, certificates.client()) as wire:
            assert (await wire.ask(request())).status == 200


async def test_a_malformed_request_is_told_so_through_tls(certificates: Certificates) -> None:
    tls = tls_context(certificates.cert, certificates.key)
    async with serving(echo, tls=tls) as server, Wire(server, certificates.client()) as wire:
        assert (await wire.ask(b"garbage\r\n\r\n")).status == 400


async def test_a_certificate_that_changed_is_taken_without_a_restart(certificates: Certificates) -> None:
    tls = tls_context(certificates.cert, certificates.key)
    async with serving(echo, tls=tls) as server, Wire(server, certificates.client()) as old:
        before = serial(old)
        certificates.issue()
        async with Wire(server, certificates.client()) as new:
            assert serial(new) != before
            assert (await new.ask(request())).status == 200
        assert (await old.ask(request())).status == 200


async def test_a_change_that_cannot_be_used_is_logged_and_waited_out(
    certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    tls = tls_context(certificates.cert, certificates.key)
    async with serving(echo, tls=tls) as server:
        async with Wire(server, certificates.client()) as wire:
            before = serial(wire)
        certificates.break_off()
        for _ in range(2):
            async with Wire(server, certificates.client()) as wire:
                assert serial(wire) == before
        assert caplog.text.count("the changed certificate is not used") == 1
        certificates.remove()
        async with Wire(server, certificates.client()) as wire:
            assert serial(wire) == before
        certificates.issue()
        async with Wire(server, certificates.client()) as wire:
            assert serial(wire) != before


async def test_clients_show_a_certificate_where_one_is_required(certificates: Certificates) -> None:
    tls = tls_context(certificates.cert, certificates.key, ca=certificates.ca)
    known = certificates.client()
    certificates.authority.issue_cert("client.example").configure_cert(known)
    async with serving(echo, tls=tls) as server:
        async with Wire(server, known) as wire:
            assert (await wire.ask(request())).status == 200
        with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
            async with Wire(server, certificates.client()) as wire:
                await wire.ask(request())


async def test_clients_may_show_a_certificate_where_it_is_optional(certificates: Certificates) -> None:
    tls = tls_context(certificates.cert, certificates.key, ca=certificates.ca, client_cert="optional")
    async with serving(echo, tls=tls) as server, Wire(server, certificates.client()) as wire:
        assert (await wire.ask(request())).status == 200


async def test_a_server_over_tls_drains(certificates: Certificates) -> None:
    tls = tls_context(certificates.cert, certificates.key)
    async with serving(echo, tls=tls) as server, Wire(server, certificates.client()) as wire:
        await wire.ask(request())
        async with asyncio.timeout(10):
            await server.drain(10)
        assert await wire.closed() == b""


def test_a_file_that_is_missing_is_named(certificates: Certificates) -> None:
    with pytest.raises(ListenError, match=r"missing\.pem` cannot be read: No such file"):
        tls_context(str(certificates.folder / "missing.pem"), certificates.key)
    with pytest.raises(ListenError, match=r"missing\.pem` cannot be read"):
        tls_context(certificates.cert, str(certificates.folder / "missing.pem"))
    with pytest.raises(ListenError, match=r"missing\.pem` cannot be read") as caught:
        tls_context(certificates.cert, certificates.key, ca=str(certificates.folder / "missing.pem"))
    assert "`ca` names a PEM file" in caught.value.remedy


def test_a_folder_is_no_file(certificates: Certificates) -> None:
    with pytest.raises(ListenError, match="cannot be read: Is a directory"):
        tls_context(str(certificates.folder), certificates.key)


def test_files_that_do_not_belong_together_are_named(certificates: Certificates, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    certificates.authority.issue_cert("localhost").private_key_pem.write_to_path(str(other))
    with pytest.raises(ListenError, match=r"the key in `.*other\.pem` is not that of the certificate"):
        tls_context(certificates.cert, str(other))


def test_files_that_hold_something_else_are_named(certificates: Certificates, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_text("hello")
    with pytest.raises(ListenError, match="cannot be used as certificate and key"):
        tls_context(str(other), certificates.key)
    with pytest.raises(ListenError, match="cannot be used as certificate and key"):
        tls_context(certificates.cert, str(other))
    with pytest.raises(ListenError, match=r"other\.pem` holds no certificates of authorities"):
        tls_context(certificates.cert, certificates.key, ca=str(other))


def test_client_certificates_need_an_authority(certificates: Certificates) -> None:
    with pytest.raises(ListenError, match="but not whose"):
        tls_context(certificates.cert, certificates.key, client_cert="required")


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the program openssl is not installed")
async def test_a_certificate_that_openssl_made_is_served(tmp_path: Path) -> None:
    openssl(
        tmp_path, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
        "-keyout", "key.pem", "-out", "cert.pem",
    )  # fmt: skip
    tls = tls_context(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
    client = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    async with serving(echo, tls=tls) as server, Wire(server, client) as wire:
        assert (await wire.ask(request("GET", "/a"))).body == b"GET /a "


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the program openssl is not installed")
def test_a_locked_key_needs_its_password(certificates: Certificates) -> None:
    openssl(
        certificates.folder,
        "pkey",
        "-in",
        "key.pem",
        "-aes256",
        "-passout",
        "pass:tiger",
        "-out",
        "locked.pem",
    )
    locked = str(certificates.folder / "locked.pem")
    assert tls_context(certificates.cert, locked, password="tiger")
    with pytest.raises(ListenError, match="cannot be used as certificate and key") as caught:
        tls_context(certificates.cert, locked, password="wrong")
    assert "wrong" not in str(caught.value)
    with pytest.raises(ListenError, match="cannot be used as certificate and key") as caught:
        tls_context(certificates.cert, locked)
    assert "needs its password" in caught.value.remedy
