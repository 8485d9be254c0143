"""The sockets that a server listens on."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
from typing import Final

from penstock.core.errors import ListenError

BACKLOG: Final = 1024
"""So many clients may wait to be let in, as while a graph is being loaded."""

_PORT_ATTEMPTS: Final = 16

_Address = tuple[socket.AddressFamily, tuple[object, ...]]


async def listening(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen on all addresses of a host, "" being every address of the machine.

    port 0: a free one, the same on all addresses. Clients can connect from now on; they wait
    until somebody accepts them. Raises ListenError.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (socket.gaierror, UnicodeError) as error:
        raise ListenError(
            f"cannot listen on {host}: this name has no address",
            remedy="use 127.0.0.1 for this machine alone, or 0.0.0.0 for all of its networks",
        ) from error
    addresses: list[_Address] = list(dict.fromkeys((family, address) for family, *_, address in found))
    for attempt in range(_PORT_ATTEMPTS):
        try:
            return _bind_all(addresses, port)
        except OSError as error:
            # What is free on one address may be taken on the next.
            if port == 0 and error.errno == errno.EADDRINUSE and attempt < _PORT_ATTEMPTS - 1:
                continue
            raise _explained(error, host, port) from error
    raise AssertionError("unreachable")


def _bind_all(addresses: list[_Address], port: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    unable: OSError | None = None
    try:
        for family, address in addresses:
            try:
                opened = _bind(family, (address[0], port, *address[2:]))
            except OSError as error:
                # A machine may name addresses of a family that it has switched off.
                if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                    raise
                unable = error
                continue
            sockets.append(opened)
            port = opened.getsockname()[1]
    except OSError:
        for opened in sockets:
            opened.close()
        raise
    if not sockets and unable is not None:
        raise unable
    return sockets


def _bind(family: socket.AddressFamily, address: tuple[object, ...]) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix" and sys.platform != "cygwin":
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        opened.setblocking(False)
        opened.bind(address)
        # Not before this is a port taken: two may bind it, but only one can listen.
        opened.listen(BACKLOG)
    except OSError:
        opened.close()
        raise
    return opened


def _explained(error: OSError, host: str, port: int) -> ListenError:
    where = f"[{host}]:{port}" if ":" in host else f"{host or '*'}:{port}"
    if error.errno == errno.EADDRINUSE:
        return ListenError(
            f"cannot listen on {where}: the port is taken",
            remedy="stop the program that listens there, or choose another port (0 for any free one)",
        )
    if error.errno == errno.EACCES:
        return ListenError(
            f"cannot listen on {where}: this user may not",
            remedy="ports below 1024 are for administrators; choose a higher one",
        )
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return ListenError(
            f"cannot listen on {where}: this machine has no such address",
            remedy="use 127.0.0.1 for this machine alone, or 0.0.0.0 for all of its networks",
        )
    return ListenError(f"cannot listen on {where}: {error.strerror or error}")
