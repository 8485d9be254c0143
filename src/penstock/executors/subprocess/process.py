"""A worker process, as its host holds it: started, spoken to, and ended with all that it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

from penstock.executors.subprocess.channel import LARGEST_BYTES, Channel
from penstock.executors.subprocess.messages import REPORTS, Order, Report
from penstock.executors.subprocess.output import Output

_MODULE: Final = "penstock.executors.subprocess.worker"
_STDOUT: Final = 1
_STDERR: Final = 2
_LEAVE_SECONDS: Final = 2.0
"""What a worker that is needed no more may take to unload its flow."""


class WorkerProcess(asyncio.SubprocessProtocol):
    """One worker. revision: of the flow whose code it has loaded, or empty. runs: executed so far.

    A worker serves one revision of one flow for all its life: what the code of a flow does to
    its process, no other flow meets, and a changed module is imported anew.
    """

    def __init__(self) -> None:
        self.revision = ""
        self.runs = 0
        self.stdout = Output()
        self.stderr = Output()
        self._exited = asyncio.Event()
        self._transport: asyncio.SubprocessTransport | None = None
        self._channel: Channel[Report] | None = None

    @classmethod
    async def start(cls, *, environment: Mapping[str, str]) -> WorkerProcess:
        """Start a worker, which takes orders from now on. Raises OSError."""
        worker = cls()
        own, theirs = socket.socketpair()
        try:
            with theirs:
                await asyncio.get_running_loop().subprocess_exec(
                    lambda: worker,
                    sys.executable,
                    "-P",  # the current folder is no place for Penstock's own imports
                    "-m",
                    _MODULE,
                    str(theirs.fileno()),
                    str(os.getpid()),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    env=dict(environment),
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
            worker._channel = await Channel.over(own, REPORTS, largest=LARGEST_BYTES)
        except BaseException:
            own.close()
            await worker.end()
            raise
        return worker

    # --- what the process does ------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        (self.stdout if fd == _STDOUT else self.stderr).feed(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002
        if fd in (_STDOUT, _STDERR):
            (self.stdout if fd == _STDOUT else self.stderr).end()

    def process_exited(self) -> None:
        self._exited.set()

    # --- speaking to it -------------------------------------------------------------

    @property
    def pid(self) -> int:
        return self._transport.get_pid() if self._transport is not None else 0

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._transport is not None and not self._exited.is_set()

    def send(self, order: Order) -> None:
        """Give an order; one to a worker that died is lost."""
        if self._channel is not None:
            self._channel.send(order)

    async def receive(self) -> Report | None:
        """What the worker says next; None when it is gone. Raises Garbled."""
        return None if self._channel is None else await self._channel.receive()

    # --- its end --------------------------------------------------------------------

    def kill(self) -> None:
        """End it now, with what runs in its process group and what it has started otherwise."""
        if self._transport is None or self._exited.is_set():
            return
        started = _descendants(self.pid)
        for number in (self.pid, *started):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(number, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    async def finish_output(self) -> None:
        """Return when all that its run has printed was passed on."""
        await self.stdout.finish()
        await self.stderr.finish()

    async def ended_within(self, seconds: float) -> int:
        """Wait for its end, which comes by itself or by force. The exit code; negative for a signal."""
        try:
            async with asyncio.timeout(seconds):
                await self._exited.wait()
        except TimeoutError:
            self.kill()
            await self._exited.wait()
        assert self._transport is not None
        code = self._transport.get_returncode()
        return 0 if code is None else code

    async def leave(self) -> None:
        """Let a worker go that executes nothing: it unloads its flow, or is killed."""
        try:
            if self._channel is not None:
                await self._channel.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await self._exited.wait()
        finally:
            await self.end()

    async def end(self) -> None:
        """Kill it if it lives, and let go of what belongs to it."""
        self.kill()
        try:
            if self._transport is not None:
                await self._exited.wait()
        finally:
            if self._transport is not None:
                self._transport.close()
            if self._channel is not None:
                await self._channel.close()


def _descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have; none without a /proc."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        tasks = Path(f"/proc/{waiting.pop()}/task")
        with contextlib.suppress(OSError):  # it has ended in between
            for task in tasks.iterdir():
                children = [int(child) for child in (task / "children").read_bytes().split()]
                waiting += children
                found += children
    return found
