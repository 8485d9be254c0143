"""What is opened for a process, and closed when it ends."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from penstock.engine.firing import Failure

if TYPE_CHECKING:
    from penstock.engine.live import LiveRun


class Resources:
    """An exit stack that is made when somebody first opens something.

    A run that holds resources stays in memory while it waits.
    """

    __slots__ = ("_exits", "_run")

    def __init__(self, run: LiveRun) -> None:
        self._run = run
        self._exits: AsyncExitStack | None = None

    @property
    def stack(self) -> AsyncExitStack:
        if self._exits is None:
            self._exits = AsyncExitStack()
            self._run.open_resources += 1
        return self._exits

    async def release(self, error: BaseException | None) -> None:
        """Close everything, the last opened first; what is open learns of the error."""
        if self._exits is None:
            return
        exits, self._exits = self._exits, None
        self._run.open_resources -= 1
        cause = error.cause if isinstance(error, Failure) else error
        await exits.__aexit__(
            type(cause) if cause else None, cause, cause.__traceback__ if cause else None
        )
