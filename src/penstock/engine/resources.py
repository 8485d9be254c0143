"""What is opened for a process, and closed when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.engine.firing import Failure

if TYPE_CHECKING:
    from penstock.engine.live import LiveRun

T = TypeVar("T")


class Resources:
    """An exit stack that is made when somebody first opens something.

    A run that holds resources stays in memory while it waits. around: those of the process
    that called this one.
    """

    __slots__ = ("_around", "_exits", "_run", "_shared")

    def __init__(self, run: LiveRun, *, around: Resources | None = None) -> None:
        self._run = run
        self._around = around
        self._exits: AsyncExitStack | None = None
        self._shared: dict[Hashable, asyncio.Future[Any]] | None = None

    @property
    def stack(self) -> AsyncExitStack:
        if self._exits is None:
            self._exits = AsyncExitStack()
            self._run.open_resources += 1
        return self._exits

    async def share(self, key: Hashable, open: Callable[[], AbstractAsyncContextManager[T]]) -> T:  # noqa: A002
        """What `open` gives, entered once for the whole process; it is left at the end.

        Whoever asks while it is being entered waits for that. If it fails, the next
        one of them tries again.
        """
        if self._shared is None:
            self._shared = {}
        while (known := self._shared.get(key)) is not None:
            if not known.done():
                await asyncio.wait((known,))  # not itself: who is cancelled here must not cancel it
                continue
            found: T = known.result()
            return found
        entering: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._shared[key] = entering
        try:
            entered = await self.stack.enter_async_context(open())
        except BaseException:
            del self._shared[key]
            entering.cancel()
            raise
        entering.set_result(entered)
        return entered

    async def inherited(self, key: Hashable) -> Any:
        """What the nearest process around this one shares under the key; None when none does."""
        around = self._around
        while around is not None:
            known = None if around._shared is None else around._shared.get(key)
            if known is not None:
                await asyncio.wait((known,))
                if not known.cancelled():
                    return known.result()
            around = around._around
        return None

    async def release(self, error: BaseException | None) -> None:
        """Close everything, the last opened first; what is open learns of the error."""
        if self._exits is None:
            return
        exits, self._exits = self._exits, None
        self._shared = None
        self._run.open_resources -= 1
        cause = error.cause if isinstance(error, Failure) else error
        await exits.__aexit__(
            type(cause) if cause else None, cause, cause.__traceback__ if cause else None
        )
