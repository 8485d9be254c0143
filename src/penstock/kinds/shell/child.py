"""A child process and everything it starts: one process group that never outlives its node."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from penstock.kinds.shell.output import Output

_STDIN: Final = 0
_FIRST_LOOK: Final = 0.002
_LONGEST_PAUSE: Final = 0.05
"""Seconds between two looks at a group that was asked to end."""


class Child(asyncio.SubprocessProtocol):
    """The events of one child process.

    Used instead of `asyncio.subprocess` because its `wait` may wait for the pipes too, which
    a process in the background can hold open for ever (CPython issue 119710).
    """

    def __init__(self, outputs: Mapping[int, Output]) -> None:
        self._outputs = outputs
        self._open = set(outputs)
        self._gone = asyncio.get_running_loop().create_future()
        self._silent = asyncio.Event()
        self._transport: asyncio.SubprocessTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._feed(fd, data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002
        # Standard input closes early when the child does not care to read all of it.
        if fd in self._open:
            self._feed(fd, b"", final=True)
            self._open.discard(fd)
            if not self._open:
                self._silent.set()

    def process_exited(self) -> None:
        if not self._gone.done():
            self._gone.set_result(None)

    def _feed(self, fd: int, data: bytes, *, final: bool = False) -> None:
        try:
            self._outputs[fd].feed(data, final=final)
        except Exception as error:  # noqa: BLE001 - nobody is above a callback; `finish` raises it
            if not self._gone.done():
                self._gone.set_exception(error)

    async def finish(self, stdin: bytes | None, grace: float) -> int:
        """Feed the child, and wait for its end and the end of its output. Returns its code.

        Output that background processes still write is waited for `grace` seconds.
        """
        transport = self._transport
        assert transport is not None
        if stdin is not None:
            pipe: Any = transport.get_pipe_transport(_STDIN)
            pipe.write(stdin)
            pipe.write_eof()
        await self._gone
        await self._quiet(grace)
        code = transport.get_returncode()
        assert code is not None
        return code

    async def _quiet(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._silent.wait()
        except TimeoutError:
            return

    async def end(self, grace: float) -> None:
        """End whatever is left of the group: SIGTERM, `grace` seconds, SIGKILL."""
        transport = self._transport
        if transport is None:
            return
        group = transport.get_pid()
        try:
            if _signal(group, signal.SIGTERM):
                await _empty(group, grace)
        finally:
            _signal(group, signal.SIGKILL)
            transport.close()


async def converse(
    argv: Sequence[str],
    outputs: Mapping[int, Output],
    *,
    stdin: bytes | None,
    directory: str | None,
    environment: Mapping[str, str],
    grace: float,
) -> int:
    """Run a program to its end and return its exit code, negative for a signal.

    However this ends, cancellation included, no process of the child's group is left.
    Raises OSError when the program cannot be started, and what the outputs raise.
    """
    child = Child(outputs)
    await asyncio.get_running_loop().subprocess_exec(
        lambda: child,
        *argv,
        stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=directory,
        env=dict(environment),
        start_new_session=True,
    )
    try:
        return await child.finish(stdin, grace)
    finally:
        await child.end(grace)


def _signal(group: int, number: int) -> bool:
    """Signal a process group; False when there is none any more."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a dead group
        return False
    return True


async def _empty(group: int, seconds: float) -> None:
    """Wait until the group has no process, but no longer than so many seconds."""
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + seconds, _FIRST_LOOK
    while _signal(group, 0) and loop.time() < deadline:
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
