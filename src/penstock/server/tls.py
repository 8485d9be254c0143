"""TLS: who the server is, and whom it lets in."""

from __future__ import annotations

import os
import ssl
from typing import Final, Literal

from penstock.core.errors import ListenError
from penstock.server.service import LOG

_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2, those with forward secrecy and authentication in one; 1.3 has no others."""

ClientCertificate = Literal["none", "optional", "required"]


def tls_context(
    cert: str,
    key: str | None = None,
    *,
    ca: str | None = None,
    client_cert: ClientCertificate | None = None,
    password: str | None = None,
) -> ssl.SSLContext:
    """The settings of a server that speaks TLS 1.2 and 1.3.

    cert: a PEM file of the certificate, and of those between it and its root. key: a PEM file
    of its key, unless `cert` holds it. ca: a PEM file of the authorities whose clients are let
    in, and then client certificates are `required` unless said otherwise. password: what the
    key is locked with.

    When one of the files changes, connections that come then get what is in it. Files that
    cannot be used are logged, and what was read before them stays.

    Raises ListenError naming the file that cannot be used.
    """
    files = _Files(cert, key, ca, client_cert or ("required" if ca else "none"), password)
    if files.client_cert != "none" and ca is None:
        raise ListenError(
            "client certificates are asked for, but not whose",
            remedy="name a PEM file of the authorities to trust, as `ca`",
        )
    current = context = files.read()
    state = files.state()

    def on_hello(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """At the begin of each handshake. Looking at the files costs nothing beside it."""
        nonlocal current, state
        found = files.state()
        if found != state:
            state = found
            try:
                current = files.read()
            except ListenError as error:
                LOG.warning("the changed certificate is not used: %s", error)
            else:
                LOG.info("the certificate in %s was read again", cert)
        connection.context = current

    context.sni_callback = on_hello
    return context


class _Files:
    """The files behind a context."""

    def __init__(
        self,
        cert: str,
        key: str | None,
        ca: str | None,
        client_cert: ClientCertificate,
        password: str | None,
    ) -> None:
        self.cert = cert
        self.key = key
        self.ca = ca
        self.client_cert = client_cert
        self._password = password

    def state(self) -> list[tuple[int, int, int] | None]:
        """What changes when a file does."""
        return [_state(path) for path in (self.cert, self.key, self.ca) if path]

    def read(self) -> ssl.SSLContext:
        for name, path in (("cert", self.cert), ("key", self.key), ("ca", self.ca)):
            if path:
                _check_readable(name, path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS)
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self.cert, self.key, password=lambda: self._password or "")
        except (ssl.SSLError, ValueError, OSError) as error:
            raise self._unusable(error) from error
        if self.ca:
            try:
                context.load_verify_locations(self.ca)
            except (ssl.SSLError, OSError) as error:
                raise ListenError(
                    f"`{self.ca}` holds no certificates of authorities",
                    remedy="a PEM file is expected, with one `BEGIN CERTIFICATE` for each",
                ) from error
        context.verify_mode = {
            "none": ssl.CERT_NONE,
            "optional": ssl.CERT_OPTIONAL,
            "required": ssl.CERT_REQUIRED,
        }[self.client_cert]
        return context

    def _unusable(self, error: Exception) -> ListenError:
        reason = getattr(error, "reason", "") or ""
        if "MISMATCH" in reason:
            return ListenError(
                f"the key in `{self.key or self.cert}` is not that of the certificate in `{self.cert}`",
                remedy="name the two files that were made together",
            )
        files = f"`{self.cert}`" + (f" and `{self.key}`" if self.key else "")
        return ListenError(
            f"{files} cannot be used as certificate and key",
            remedy="PEM files are expected: a certificate with its chain, and its key; a key that is"
            " locked needs its password",
        )


def _state(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - pathlib costs an import
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _check_readable(name: str, path: str) -> None:
    try:
        with open(path, "rb"):  # noqa: PTH123
            pass
    except OSError as error:
        raise ListenError(
            f"the file `{path}` cannot be read: {error.strerror}",
            remedy=f"`{name}` names a PEM file; check the path, and that this user may read it",
        ) from error
