"""One run, as a worker executes it: by the same engine, its journal at the other end of the channel."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.core.errors import StoreError
from penstock.core.payload import Error, Payload, decode, encode
from penstock.engine.clock import SystemClock
from penstock.engine.executor import Inline
from penstock.engine.firing import Failure
from penstock.engine.folder import RunFolders
from penstock.engine.journal import Committer, Journal
from penstock.engine.live import LiveRun
from penstock.engine.observer import Observer, Subject
from penstock.engine.replay import Replay
from penstock.executors.subprocess.facts import pack_facts
from penstock.executors.subprocess.ledger import RemoteLedger
from penstock.executors.subprocess.memory import limit_memory
from penstock.executors.subprocess.messages import (
    Answered,
    Done,
    Execute,
    Failed,
    Heard,
    Outcome,
    Report,
    Said,
    Stopped,
    Word,
    unpack_events,
)

if TYPE_CHECKING:
    from penstock.engine.flow import Flow
    from penstock.engine.leases import Leases
    from penstock.engine.redaction import Redactor
    from penstock.executors.subprocess.threads import Threads


class Work:
    """What a worker does for one `Execute`.

    find: the flow of its document. prepare: loads a flow that this one calls.
    """

    def __init__(
        self,
        order: Execute,
        *,
        send: Callable[[Report], None],
        find: Callable[[Execute], Awaitable[Flow]],
        prepare: Callable[[Flow], Awaitable[None]],
        threads: Threads,
        leases: Leases,
    ) -> None:
        self._order = order
        self._send = send
        self._find = find
        self._prepare = prepare
        self._threads = threads
        self._leases = leases
        self._clock = SystemClock()
        self._ledger = RemoteLedger(send, pinned=self._pinned)
        self._live: LiveRun | None = None
        self._words: list[Word] = []
        self._hearing: set[asyncio.Task[None]] = set()
        self._stopped = False
        self._others = asyncio.all_tasks()
        self._task = asyncio.create_task(self._run(), name=f"penstock:run:{order.fid}")

    @property
    def over(self) -> bool:
        """Whether nothing of the run is executed any more."""
        return self._task.done()

    def answered(self, answer: Answered) -> None:
        """Pass on what the host answers to the run's journal."""
        self._ledger.answered(answer)

    def hear(self, word: Word) -> None:
        """Take a word for the run."""
        if self._live is None:
            self._words.append(word)
            return
        self._live.begin_work()
        self._live.hear(word.text)
        self._live.settle_down()
        hearing = asyncio.create_task(self._heard(word), name=f"penstock:word:{self._order.fid}")
        self._hearing.add(hearing)
        hearing.add_done_callback(self._hearing.discard)

    def stop(self) -> None:
        """End it; nodes that run may clean up."""
        self._stopped = True
        if self._live is not None:
            self._live.stopped = True
        self._task.cancel()

    def _pinned(self) -> bool:
        return self._live is None or not self._live.evictable

    async def _run(self) -> None:
        outcome: Outcome
        try:
            outcome = Done(encode(await self._bring_to_end()))
        except Failure as failure:
            outcome = Failed(encode(failure.error))
        except asyncio.CancelledError:
            outcome = Stopped()
        except (Exception, SystemExit) as error:
            # NonDeterminism, a flow that does not load, or a defect: the run has a reason to end.
            outcome = Failed(encode(Error.from_exception(error)), broken=True)
        if self._stopped:  # code that swallowed the word to stop does not decide the end
            outcome = Stopped()
        _finish_output(self._order.mark)
        self._send(msgspec.structs.replace(outcome, idle=self._idle))

    @property
    def _idle(self) -> bool:
        """Whether nothing goes on that the run has begun."""
        return self._threads.idle and asyncio.all_tasks() <= {*self._others, *self._hearing, self._task}

    async def _bring_to_end(self) -> Payload:
        order = self._order
        limit_memory(order.memory_bytes)
        flow = await self._find(order)
        committer = Committer(
            self._ledger, published=lambda _: None, broken=self._broken, clock=self._clock
        )
        journal = Journal(
            order.fid,
            committer,
            self._clock,
            record=flow.settings.record,
            redactor=flow.redactor,
        )
        past = unpack_events(order.history)
        self._live = LiveRun(
            order.fid,
            flow,
            journal,
            clock=self._clock,
            replay=Replay.fold(past) if past else None,
            threads=self._threads,
            leases=self._leases,
            prepare=self._prepare,
            observer=_Teller(self._send) if journal.silent else None,
            edited=past[0].data.get("edited", {}) if past else {},
            folders=RunFolders(Path(order.files)) if order.files else None,
        )
        for word in self._words:
            self.hear(word)
        try:
            return await Inline().execute(flow, self._live, decode(order.inputs))
        finally:
            self._ledger.finish()
            await committer.close()  # what was said is not lost, whatever comes of the run

    async def _heard(self, word: Word) -> None:
        assert self._live is not None
        with contextlib.suppress(StoreError):  # the host knows
            await self._live.journal.durable()
            self._send(Heard(word.number))

    def _broken(self, _: list[Journal], error: StoreError) -> None:
        """The host takes nothing more: there is no sense in going on."""
        del error  # the journal has it, and raises it
        self._task.cancel()


class _Teller(Observer):
    """Passes on what the nodes of a run say that nobody records."""

    def __init__(self, send: Callable[[Report], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._send = send

    def said(
        self,
        subject: Subject,  # noqa: ARG002 - the host knows whom it gave the run
        node: str,
        type: str,  # noqa: A002 - the field's word
        data: Mapping[str, Payload],
        redactor: Redactor | None,
    ) -> None:
        shown: dict[str, Any] = dict(data) if redactor is None else redactor.event(dict(data))
        said = Said(pack_facts([(type, node, shown)]))
        if threading.get_ident() == self._thread:
            self._send(said)
        else:
            self._loop.call_soon_threadsafe(self._send, said)


def _finish_output(mark: bytes) -> None:
    """Say on both outputs that nothing more of this run comes, behind all that it printed."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
            os.write(number, mark + b"\n")
        except (OSError, ValueError, AttributeError):  # the run's code has closed or replaced it
            continue
