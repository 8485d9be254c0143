"""What has a conversation with a host: in the thread that calls, or on an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import Any, NamedTuple, TypeVar

import httpx2

from penstock.client.connection import Connection, reaching
from penstock.client.effects import Answer, Ask, Effect, Found, Items, Next, Open, Pause, Steps
from penstock.client.script import Script

T = TypeVar("T")


class Driver:
    """Blocks until it is done. Threads may share one."""

    def __init__(self, connection: Connection, *, transport: httpx2.BaseTransport | None = None) -> None:
        self.connection = connection
        self._http = httpx2.Client(**connection.options(), transport=transport)

    def close(self) -> None:
        self._http.close()

    def run(self, steps: Steps[T]) -> T:
        """What the steps come to."""
        script = Script(steps)
        for _ in self._take(script):
            raise AssertionError("an operation has found an item")
        result: T = script.result
        return result

    def iterate(self, items: Items[T]) -> Generator[T, None, None]:
        """What they find, as it is asked for."""
        return self._take(Script(items))

    def _take(self, script: Script[T]) -> Generator[T, None, None]:
        talk = _Talk(self.connection, self._http)
        try:
            while (effect := script.wanted) is not None:
                if isinstance(effect, Found):
                    yield effect.item
                    script.answer(None)
                    continue
                try:
                    found = talk.have(effect)
                except Exception as error:  # the steps know what it means, or raise it again
                    script.fail(error)
                else:
                    script.answer(found)
        finally:
            talk.close()
            script.close()


class _Talk:
    """The effects of one script, and what is open for it."""

    def __init__(self, connection: Connection, http: httpx2.Client) -> None:
        self._connection = connection
        self._http = http
        self._opened: _Opened | None = None

    def have(self, effect: Effect) -> Any:
        match effect:
            case Ask():
                with reaching(self._connection, effect):
                    return answer_of(self._http.request(**self._connection.request(effect)))
            case Open():
                return self._open(effect)
            case Next():
                assert self._opened is not None
                with reaching(self._connection, self._opened.ask):
                    return next(self._opened.parts, None)
            case Pause():
                return time.sleep(effect.seconds)
            case _:
                return effect.call()

    def _open(self, wanted: Open) -> Answer:
        self.close()
        asked = self._connection.request(wanted.ask, events=wanted.events)
        with reaching(self._connection, wanted.ask):
            response = self._http.send(self._http.build_request(**asked), stream=True)
            if not response.is_success:
                with contextlib.closing(response):
                    response.read()
                return answer_of(response)
        parts = iter(_events(response)) if wanted.events else response.iter_bytes()
        self._opened = _Opened(wanted.ask, response, parts)
        return Answer(response.status_code, response.headers)

    def close(self) -> None:
        if self._opened is not None:
            self._opened.response.close()
            self._opened = None


class _Opened(NamedTuple):
    """A response that comes in parts."""

    ask: Ask
    response: httpx2.Response
    parts: Iterator[Any]


class AsyncDriver:
    """Lets the event loop go on until it is done."""

    def __init__(
        self, connection: Connection, *, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self.connection = connection
        self._http = httpx2.AsyncClient(**connection.options(), transport=transport)

    async def close(self) -> None:
        await self._http.aclose()

    async def run(self, steps: Steps[T]) -> T:
        """What the steps come to."""
        script = Script(steps)
        async for _ in self._take(script):
            raise AssertionError("an operation has found an item")
        result: T = script.result
        return result

    def iterate(self, items: Items[T]) -> AsyncGenerator[T, None]:
        """What they find, as it is asked for."""
        return self._take(Script(items))

    async def _take(self, script: Script[T]) -> AsyncGenerator[T, None]:
        talk = _AsyncTalk(self.connection, self._http)
        try:
            while (effect := script.wanted) is not None:
                if isinstance(effect, Found):
                    yield effect.item
                    script.answer(None)
                    continue
                try:
                    found = await talk.have(effect)
                except Exception as error:  # the steps know what it means, or raise it again
                    script.fail(error)
                else:
                    script.answer(found)
        finally:
            await talk.close()
            script.close()


class _AsyncTalk:
    """The same, awaited."""

    def __init__(self, connection: Connection, http: httpx2.AsyncClient) -> None:
        self._connection = connection
        self._http = http
        self._opened: _AsyncOpened | None = None

    async def have(self, effect: Effect) -> Any:
        match effect:
            case Ask():
                with reaching(self._connection, effect):
                    return answer_of(await self._http.request(**self._connection.request(effect)))
            case Open():
                return await self._open(effect)
            case Next():
                assert self._opened is not None
                with reaching(self._connection, self._opened.ask):
                    return await anext(self._opened.parts, None)
            case Pause():
                return await asyncio.sleep(effect.seconds)
            case _:
                return await asyncio.to_thread(effect.call)

    async def _open(self, wanted: Open) -> Answer:
        await self.close()
        asked = self._connection.request(wanted.ask, events=wanted.events)
        with reaching(self._connection, wanted.ask):
            response = await self._http.send(self._http.build_request(**asked), stream=True)
            if not response.is_success:
                async with contextlib.aclosing(response):
                    await response.aread()
                return answer_of(response)
        parts = aiter(_events(response)) if wanted.events else response.aiter_bytes()
        self._opened = _AsyncOpened(wanted.ask, response, parts)
        return Answer(response.status_code, response.headers)

    async def close(self) -> None:
        if self._opened is not None:
            opened, self._opened = self._opened, None
            await opened.response.aclose()


class _AsyncOpened(NamedTuple):
    ask: Ask
    response: httpx2.Response
    parts: AsyncIterator[Any]


def answer_of(response: httpx2.Response) -> Answer:
    return Answer(response.status_code, response.headers, response.content)


def _events(response: httpx2.Response) -> httpx2.EventSource:
    return httpx2.EventSource(response, max_event_size=None)  # what a node gives may be of any size
