"""A child process and everything it starts: one process group that never outlives its node."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from penstock.kinds.shell.group import end_group
from penstock.kinds.shell.output import Output

_STDIN: Final = 0
_REAPING: Final = 1.0
"""Seconds that a killed child has to vanish; one that hangs in the kernel takes longer."""


class Child(asyncio.SubprocessProtocol):
    """The events of one child process.

    Used instead of `asyncio.subprocess` because its `wait` may wait for the pipes too, which
    a process in the background can hold open for ever (CPython issue 119710).
    """

    def __init__(self, outputs: Mapping[int, Output]) -> None:
        self._outputs = outputs
        self._open = set(outputs)
        self._exited = asyncio.Event()
        self._over = asyncio.Event()
        self._silent = asyncio.Event()
        self._error: Exception | None = None
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
        self._exited.set()
        self._over.set()

    def _feed(self, fd: int, data: bytes, *, final: bool = False) -> None:
        try:
            self._outputs[fd].feed(data, final=final)
        except Exception as error:  # nobody is above a callback; `finish` raises it
            self._error = self._error or error
            self._over.set()
            self._silent.set()

    async def finish(self, stdin: bytes | None, grace: float) -> int:
        """Feed the child, and wait for its end and the end of its output. Returns its code.

        Output that background processes still write is waited for `grace` seconds.
        """
        transport = self._transport
        assert transport is not None
        if stdin is not None:
            pipe: Any = transport.get_pipe_transport(_STDIN)
            for feed in (lambda: pipe.write(stdin), pipe.write_eof):
                if not pipe.is_closing():  # the child need not read, and may be over already
                    feed()
        await self._over.wait()
        await _reached(self._silent, grace)
        if self._error is not None:
            raise self._error
        code = transport.get_returncode()
        assert code is not None
        return code

    async def end(self, grace: float) -> None:
        """Leave no process of the group behind."""
        transport = self._transport
        if transport is None:
            return
        try:
            await end_group(transport.get_pid(), grace)
        finally:
            # Dead is not yet reaped: without this the child would be left as a zombie.
            await _reached(self._exited, _REAPING)
            transport.close()


async def _reached(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but no longer than so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


async def converse(
    argv: Sequence[str],
    outputs: Mapping[int, Output],
    *,
    stdin: bytes | None,
    directory: Path | None,
    environment: Mapping[str, str],
    grace: float,
) -> int:
    """Run a program to its end and return its exit code, negative for a signal.

    However this ends, cancellation included, no process of the child's group is left.
    Raises OSError when the program cannot be started, and what the outputs raise.
    """
    child = Child(outputs)
    start = asyncio.create_task(
        asyncio.get_running_loop().subprocess_exec(
            lambda: child,
            *argv,
            stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=directory,
            env=dict(environment),
            start_new_session=True,
        ),
        name=f"start {argv[0]}",
    )
    try:
        # Shielded: asyncio would end a half-started program, but not what that has started.
        await asyncio.shield(start)
        return await child.finish(stdin, grace)
    finally:
        await _settled(start)
        await child.end(grace)


async def _settled(start: asyncio.Task[Any]) -> None:
    """Wait for the start of a program, however often that is cancelled: it takes milliseconds.

    The cancellation is not lost. The caller is in its `finally`, and passes it on.
    """
    while not start.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([start])
