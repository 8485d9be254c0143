"""Health: whether this process can do its work, and if not, why."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from penstock.core.errors import PenstockError

if TYPE_CHECKING:
    from penstock.core.store import Store

Check = Callable[[], Awaitable[str]]
"""Why something is not ready, or an empty text. May raise PenstockError instead."""

PATIENCE_SECONDS: Final = 2.0
"""How long a check may take: whoever asks does not wait for ever either."""

LAG_SECONDS: Final = 1.0
"""How long a loader may take for a change; it is a moment behind whenever there is one."""


class Health:
    """What has to be well for this process to be given work: not before `serve`, nor after `drain`."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self._hindrance = {"starting": "not everything is loaded yet"}

    def add(self, name: str, check: Check) -> None:
        """From now on this has to be well, too."""
        self._checks[name] = check

    def serve(self) -> None:
        """Everything is loaded: from now on the checks decide."""
        self._hindrance = {}

    def drain(self) -> None:
        """Take no more work: the process is about to end. Told before anything else is done."""
        self._hindrance = {"draining": "the process is about to end"}

    async def reasons(self) -> dict[str, str]:
        """What is not well, and why; empty when the process is ready."""
        if self._hindrance:
            return self._hindrance
        async with asyncio.TaskGroup() as group:
            tasks = {
                name: group.create_task(_found(check), name=f"penstock:ready:{name}")
                for name, check in self._checks.items()
            }
        found = {name: task.result() for name, task in tasks.items()}
        return {name: reason for name, reason in found.items() if reason}


def store_answers(store: Store) -> Check:
    """The check that a store can be read."""

    async def check() -> str:
        await store.position()
        return ""

    return check


def loader_follows(store: Store, *, reached: Callable[[int], Awaitable[None]]) -> Check:
    """The check that a loader carries out what is written, if a moment later.

    reached: returns when it has come to a place of the change stream.
    """

    async def check() -> str:
        position = await store.position()
        try:
            async with asyncio.timeout(LAG_SECONDS):
                await reached(position)
        except TimeoutError:
            return f"what was written {LAG_SECONDS:g} s ago is not loaded yet"
        return ""

    return check


async def _found(check: Check) -> str:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await check()
    except TimeoutError:
        return f"no answer within {PATIENCE_SECONDS:g} s"
    except PenstockError as error:
        return error.message
