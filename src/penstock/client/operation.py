"""Operations of a client: written once, called in both worlds.

A method that is decorated with `operation` is a generator of effects. On a client that blocks,
calling it gives what the generator returns; on one of an event loop, a coroutine of that. One
that is decorated with `listing` gives an iterator, or an asynchronous one; to close it ends what it
has open.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from penstock.client.effects import Items, Steps

if TYPE_CHECKING:
    from penstock.client.drivers import AsyncDriver, Driver

Given = ParamSpec("Given")
T = TypeVar("T")
Result = TypeVar("Result")


class Blocking:
    """Whose operations block the thread that calls them."""

    _driver: Driver


class Awaited:
    """Whose operations are awaited."""

    _driver: AsyncDriver


class operation(Generic[Given, Result]):  # noqa: N801 - a decorator
    """A method that comes to one result."""

    def __init__(self, steps: Callable[Concatenate[Any, Given], Steps[Result]]) -> None:
        self._steps = steps
        self.__doc__ = steps.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> operation[Given, Result]: ...
    @overload
    def __get__(self, client: Blocking, owner: type) -> Callable[Given, Result]: ...
    @overload
    def __get__(self, client: Awaited, owner: type) -> Callable[Given, Coroutine[Any, Any, Result]]: ...
    def __get__(self, client: Blocking | Awaited | None, owner: type) -> Any:
        if client is None:
            return self
        driver = client._driver

        def call(*args: Given.args, **options: Given.kwargs) -> Any:
            return driver.run(self._steps(client, *args, **options))

        return functools.update_wrapper(call, self._steps)


class listing(Generic[Given, Result]):  # noqa: N801 - a decorator
    """A method that finds any number of items, asking for more as they are taken."""

    def __init__(self, items: Callable[Concatenate[Any, Given], Items[Result]]) -> None:
        self._items = items
        self.__doc__ = items.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> listing[Given, Result]: ...
    @overload
    def __get__(
        self, client: Blocking, owner: type
    ) -> Callable[Given, Generator[Result, None, None]]: ...
    @overload
    def __get__(self, client: Awaited, owner: type) -> Callable[Given, AsyncGenerator[Result, None]]: ...
    def __get__(self, client: Blocking | Awaited | None, owner: type) -> Any:
        if client is None:
            return self
        driver = client._driver

        def call(*args: Given.args, **options: Given.kwargs) -> Any:
            return driver.iterate(self._items(client, *args, **options))

        return functools.update_wrapper(call, self._items)
