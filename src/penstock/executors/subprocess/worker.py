"""The worker process: `python -m penstock.executors.subprocess.worker SOCKET PARENT`.

It has one channel, to the host that started it, and ends with it. It knows neither store nor
settings; all it learns comes with its orders.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import socket
import sys
from typing import TYPE_CHECKING, Final

from penstock.core.errors import PenstockError
from penstock.core.payload import Error, decode, encode
from penstock.engine.described import DESCRIBED, describe
from penstock.engine.leases import Leases
from penstock.engine.loading import Loader
from penstock.executors.subprocess.channel import Channel
from penstock.executors.subprocess.messages import (
    ORDERS,
    Answered,
    Describe,
    Described,
    Execute,
    Order,
    Refused,
    Setup,
    Stop,
    Taken,
    Word,
)
from penstock.executors.subprocess.threads import Threads
from penstock.executors.subprocess.work import Work

if TYPE_CHECKING:
    from penstock.engine.flow import Flow

_PDEATHSIG: Final = 1
_SIGKILL: Final = 9


class Worker:
    """Does what it is told, one run at a time."""

    def __init__(self, channel: Channel[Order]) -> None:
        self._channel = channel
        self._kinds: list[str] = []
        self._threads = Threads()
        self._leases = Leases()
        self._loaded: dict[int, Flow] = {}
        self._known: tuple[bytes, bytes] | None = None
        self._flow: Flow | None = None
        self._work: Work | None = None

    async def serve(self) -> None:
        """Take orders until the host hangs up."""
        while True:
            order = await self._channel.receive()
            if order is None:
                break
            self._take(order)
        if self._work is not None and not self._work.over:
            os._exit(1)  # the host is gone, and with it all that the run could tell
        await self._unload()

    def _take(self, order: Order) -> None:
        match order:
            case Setup():
                sys.path[:] = order.path
                self._kinds = order.kinds
            case Execute():
                self._channel.send(Taken())
                self._work = Work(
                    order,
                    send=self._channel.send,
                    find=self._find,
                    prepare=self._prepare,
                    threads=self._threads,
                    leases=self._leases,
                )
            case Describe():
                self._channel.send(self._describe(order))
            case Answered() if self._work is not None:
                self._work.answered(order)
            case Word() if self._work is not None:
                self._work.hear(order)
            case Stop() if self._work is not None:
                self._work.stop()

    def _describe(self, order: Describe) -> Described | Refused:
        try:
            loader = self._loader({})
            if order.every:
                flows = loader.flows_of(order.reference)
            else:
                flows = [loader.load(order.reference, name=order.name)]
            return Described(encode([describe(flow) for flow in flows]))
        except PenstockError as error:
            return Refused(error.message, error.remedy)
        except (Exception, SystemExit) as error:
            return Refused(Error.from_exception(error).message, "see what its code does")

    # --- flows --------------------------------------------------------------------

    def _loader(self, values: dict[str, object]) -> Loader:
        from penstock.agents import standard_readers
        from penstock.kinds import standard_scheme

        scheme = standard_scheme(*self._kinds)
        return Loader(scheme, values=values, readers=standard_readers())

    async def _find(self, order: Execute) -> Flow:
        """The flow of a run; the one of the last run, when it is the same."""
        known = (order.document, order.values)
        if self._flow is None or self._known != known:
            await self._unload()
            document = decode(order.document)
            document.pop(DESCRIBED, None)  # what it is called by those who must not import it
            self._flow = self._loader(decode(order.values)).restore(document)
            self._known = known
        await self._prepare(self._flow)
        return self._flow

    async def _prepare(self, flow: Flow) -> None:
        if id(flow) not in self._loaded:
            await flow.load()
            self._loaded[id(flow)] = flow

    async def _unload(self) -> None:
        self._flow = self._known = None
        while self._loaded:
            await self._loaded.popitem()[1].unload()


def main() -> None:
    """The whole life of a worker."""
    end, parent = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
    end.set_inheritable(False)  # what a run starts must not hold the channel open
    _end_with(parent)
    _settle()

    async def serve() -> None:
        await Worker(await Channel.over(end, ORDERS)).serve()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
    os._exit(0)  # a thread that does not return would be waited for


def _end_with(parent: int) -> None:
    """See to it that this process never outlives its host, whatever it is busy with."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PDEATHSIG, _SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _settle() -> None:
    """Leave traces of a crash on stderr, and none on the disk; print line by line."""
    import resource

    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]


if __name__ == "__main__":
    main()
