"""What has a conversation with a host: in the thread that calls, or on an event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.client.connection import Connection, reaching
from penstock.client.effects import Answer, Ask, Effect, Found, Items, Next, Open, Pause, Steps
from penstock.client.script import Script

if TYPE_CHECKING:
    import httpx2
T = TypeVar("T")


class Driver:
    """Blocks until it is done. Threads may share one."""

    def __init__(self, connection: Connection, *, transport: httpx2.BaseTransport | None = None) -> None:
        import httpx2

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
    """The effects of one script, and the response that is open for it."""

    def __init__(self, connection: Connection, http: httpx2.Client) -> None:
        self._connection = connection
        self._http = http
        self._opened: Open | None = None
        self._response: httpx2.Response | None = None
        self._parts: Iterator[Any] = iter(())

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
                    return next(self._parts, None)
            case Pause():
                return time.sleep(effect.seconds)
            case _:
                return effect.call()

    def _open(self, wanted: Open) -> Answer:
        self.close()
        with reaching(self._connection, wanted.ask):
            request = self._http.build_request(
                **self._connection.request(wanted.ask, events=wanted.events)
            )
            response = self._http.send(request, stream=True)
            if not response.is_success:
                try:
                    response.read()
                finally:
                    response.close()
                return answer_of(response)
        self._opened, self._response = wanted, response
        self._parts = iter(_events(response)) if wanted.events else response.iter_bytes()
        return Answer(response.status_code, response.headers)

    def close(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None


class AsyncDriver:
    """Lets the event loop go on until it is done."""

    def __init__(
        self, connection: Connection, *, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        import httpx2

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
        self._opened: Open | None = None
        self._response: httpx2.Response | None = None
        self._parts: AsyncIterator[Any] | None = None

    async def have(self, effect: Effect) -> Any:
        match effect:
            case Ask():
                with reaching(self._connection, effect):
                    return answer_of(await self._http.request(**self._connection.request(effect)))
            case Open():
                return await self._open(effect)
            case Next():
                assert self._opened is not None
                assert self._parts is not None
                with reaching(self._connection, self._opened.ask):
                    return await anext(self._parts, None)
            case Pause():
                return await asyncio.sleep(effect.seconds)
            case _:
                return await asyncio.to_thread(effect.call)

    async def _open(self, wanted: Open) -> Answer:
        await self.close()
        with reaching(self._connection, wanted.ask):
            request = self._http.build_request(
                **self._connection.request(wanted.ask, events=wanted.events)
            )
            response = await self._http.send(request, stream=True)
            if not response.is_success:
                try:
                    await response.aread()
                finally:
                    await response.aclose()
                return answer_of(response)
        self._opened, self._response = wanted, response
        self._parts = aiter(_events(response)) if wanted.events else response.aiter_bytes()
        return Answer(response.status_code, response.headers)

    async def close(self) -> None:
        if self._response is not None:
            response, self._response = self._response, None
            await response.aclose()


def answer_of(response: httpx2.Response) -> Answer:
    return Answer(response.status_code, response.headers, response.content)


def _events(response: httpx2.Response) -> httpx2.EventSource:
    import httpx2

    return httpx2.EventSource(response, max_event_size=None)  # what a node gives may be of any size
