"""The threads of a worker, and whether any of them still does something."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

THREADS: Final = 32


class Threads(ThreadPoolExecutor):
    """Threads for blocking nodes. A call goes on although whoever waited for it was cancelled."""

    def __init__(self) -> None:
        super().__init__(THREADS, thread_name_prefix="penstock")
        self._calls: set[Future[Any]] = set()

    @property
    def idle(self) -> bool:
        """Whether no call is under way."""
        return all(call.done() for call in list(self._calls))

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        call = super().submit(fn, *args, **kwargs)
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return call
