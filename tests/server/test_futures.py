"""Handlers that answer by a future, as those of applications do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.server.serving import Wire, request, serving, until
from tests.server.test_websockets import HANDSHAKE

from penstock.server.asgi.handover import Handover
from penstock.server.messages import Request, Response

if TYPE_CHECKING:
    from penstock.server.websocket import WebSocket


async def test_a_future_may_answer(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[asyncio.Future[Response]] = []

    def handler(_: Request) -> asyncio.Future[Response]:
        answers.append(asyncio.get_running_loop().create_future())
        return answers[-1]

    async with serving(handler) as server, Wire(server) as wire:
        await wire.send(request() * 4)
        await until(lambda: len(answers) == 1)
        answers[0].set_result(Response(200, [], b"one"))
        assert (await wire.answer()).body == b"one"
        await until(lambda: len(answers) == 2)
        answers[1].set_exception(ValueError("broken"))
        assert (await wire.answer()).status == 500
        await until(lambda: len(answers) == 3)
        answers[2].cancel()
        assert (await wire.answer()).status == 503
        await until(lambda: len(answers) == 4)
        await wire.leave()
        await until(answers[3].cancelled)
    assert "broken" in caplog.text


@pytest.mark.parametrize("websocket", [False, True])
async def test_an_answer_that_comes_as_the_client_leaves_is_told_so(websocket: bool) -> None:
    came: asyncio.Future[tuple[Request, asyncio.Future[Response]]]
    came = asyncio.get_running_loop().create_future()
    told = asyncio.Event()

    def handler(asked: Request) -> asyncio.Future[Response]:
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        came.set_result((asked, answer))
        return answer

    async def converse(_: WebSocket) -> None:
        raise AssertionError("nobody is there")

    async with serving(handler) as server, Wire(server) as wire:
        await wire.send(request("GET", "/", None, *HANDSHAKE) if websocket else request())
        asked, answer = await came
        for member in tuple(server._service.members):
            member.cut()  # the connection learns of it in the next turn of the loop
        answer.set_result(
            asked.upgrade_websocket(converse, unopened=told.set)
            if websocket
            else Response(200, [], Handover(told.set))
        )
        await asyncio.wait_for(told.wait(), 10)
        await until(lambda: not server.connections)
