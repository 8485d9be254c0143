"""Where a server listens, and what keeps it from that."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest
from tests.server.serving import Wire, echo, port_of, request, serving

from penstock.core.errors import ListenError
from penstock.engine.clock import SystemClock
from penstock.server.server import Server


def server() -> Server:
    return Server(echo, clock=SystemClock())


async def test_a_port_that_is_taken_is_named_with_what_to_do() -> None:
    async with serving(echo) as first:
        second = server()
        with pytest.raises(
            ListenError, match=f"127.0.0.1:{port_of(first)}: the port is taken"
        ) as caught:
            await second.bind("127.0.0.1", port_of(first))
        assert "choose another port" in caught.value.remedy
        await second.close()


async def test_a_port_is_taken_from_binding_on() -> None:
    first, second = server(), server()
    await first.bind("127.0.0.1", 0)
    with pytest.raises(ListenError, match="the port is taken"):
        await second.bind("127.0.0.1", port_of(first))
    await first.close()


async def test_a_port_is_free_again_after_closing() -> None:
    async with serving(echo) as first, Wire(first) as wire:
        await wire.ask(request())
        await first.close()
        second = server()
        await second.bind("127.0.0.1", port_of(first))
        await second.close()


async def test_clients_wait_from_binding_until_they_are_let_in() -> None:
    bound = server()
    await bound.bind("127.0.0.1", 0)
    async with Wire(bound) as wire:
        await wire.send(request("GET", "/early"))
        assert bound.connections == 0
        await bound.accept()
        assert (await wire.answer()).body == b"GET /early "
    await bound.close()


async def test_a_server_that_never_accepted_can_be_closed() -> None:
    bound = server()
    await bound.bind("127.0.0.1", 0)
    await bound.drain(1)
    with pytest.raises(OSError, match="111"):
        await asyncio.open_connection("127.0.0.1", port_of(bound))


async def test_a_name_listens_on_all_its_addresses_with_one_port() -> None:
    bound = server()
    await bound.bind("localhost", 0)
    assert len({port for _, port in bound.addresses}) == 1
    assert {host for host, _ in bound.addresses} <= {"127.0.0.1", "::1"}
    await bound.close()


async def test_no_host_is_every_address() -> None:
    bound = server()
    await bound.bind("", 0)
    await bound.accept()
    assert ("0.0.0.0", port_of(bound)) in bound.addresses
    async with Wire(bound) as wire:
        assert (await wire.ask(request())).status == 200
    await bound.close()


@pytest.mark.skipif(not socket.has_ipv6, reason="Python was built without IPv6")
async def test_ipv6_is_spoken() -> None:
    bound = server()
    try:
        await bound.bind("::1", 0)
    except ListenError:
        pytest.skip("this machine has no IPv6 loopback")
    await bound.accept()
    reader, writer = await asyncio.open_connection("::1", port_of(bound))
    writer.write(request("GET", "/six"))
    assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"
    writer.close()
    await bound.close()


async def test_a_name_without_address_is_an_error() -> None:
    with pytest.raises(ListenError, match=r"no-such-host\.invalid: this name has no address"):
        await server().bind("no-such-host.invalid", 0)


async def test_an_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(ListenError, match="this machine has no such address"):
        await server().bind("203.0.113.1", 0)


async def test_a_port_of_the_administrators_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def bind(_socket: socket.socket, _address: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")  # as for all but root

    monkeypatch.setattr(socket.socket, "bind", bind)
    with pytest.raises(ListenError, match="this user may not") as caught:
        await server().bind("127.0.0.1", 80)
    assert "choose a higher one" in caught.value.remedy
