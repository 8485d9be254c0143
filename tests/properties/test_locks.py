"""Whatever happens around two locks: each is released once at most, and everybody is told the truth."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock import Candidate, Context, Denied, LockExpired, Runtime, flow
from penstock.core.errors import CandidateInvalid, LockClosed
from penstock.core.events import EventType
from penstock.core.locks import Decision, LockRecord, LockState
from penstock.core.record import RunRecord
from penstock.testing.clock import FakeClock

if TYPE_CHECKING:
    from penstock.engine.run import Run

PATIENCE_SECONDS: Final = 20.0
TURNS: Final = 60
LIMIT_SECONDS: Final = 100.0
NAMES: Final = ("left", "right")


class Submit(NamedTuple):
    """Candidates for one lock at the same time, by id. elsewhere: another runtime submits them."""

    lock: str
    candidates: dict[str, Any]
    elsewhere: bool


class Advance(NamedTuple):
    seconds: float


class PutAside(NamedTuple):
    """Let the run leave memory, if it only waits."""


class Restart(NamedTuple):
    """Close the runtime, and open another one over the same store."""


VALUES: Final = st.integers(0, 5) | st.just("no number")
STEPS: Final = st.one_of(
    st.builds(
        Submit,
        st.sampled_from(NAMES),
        st.dictionaries(st.sampled_from("abcde"), VALUES, min_size=1, max_size=3),
        st.booleans(),
    ),
    st.builds(Advance, st.sampled_from([1.0, 40.0, 120.0])),
    st.builds(PutAside),
    st.builds(Restart),
)


def even(candidate: Candidate) -> None:
    if candidate.value % 2:
        raise Denied("an even number, please")


@flow
async def asking(ctx: Context) -> list[Any]:
    """Two locks at once; only the left one expires."""

    async def left() -> Any:
        try:
            return await ctx.lock("left", schema=int, candidate_timeout=LIMIT_SECONDS, check=even)
        except LockExpired:
            return "expired"

    return await ctx.gather(left(), ctx.lock("right", schema=int, check=even))


class Story:
    """The run, and what people were told of it.

    decided: lock and id of a candidate → its value, and what the flow decided about it.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self.clock = FakeClock()
        self.decided: dict[tuple[str, str], tuple[Any, Decision]] = {}
        self.lids: dict[str, str] = {}
        self.runtime: Runtime
        self.run: Run

    def open(self, *, recover: bool = True) -> Runtime:
        return Runtime(self._url, flows=[asking], clock=self.clock, recover=recover)

    async def tell(self, steps: list[Any]) -> None:
        self.runtime = self.open()
        await self.runtime.__aenter__()
        try:
            self.run = await self.runtime.start(asking)
            await self._settle()
            self.lids = {lock.name: lock.lid for lock in await self.runtime.locks(self.run.fid)}
            for step in steps:
                await self._take(step)
                await self._check()
            self.clock.advance(2 * LIMIT_SECONDS)
            await self._settle()
            await self._submit(Submit("right", {"last": 2}, elsewhere=False))
            await self._check()
            assert (await self.run.result())[1] % 2 == 0
        finally:
            await self.runtime.__aexit__()

    async def _settle(self) -> None:
        """Let everything that is due come to rest."""
        for _ in range(3):
            for _ in range(TURNS):
                await asyncio.sleep(0)
            self.clock.advance(0)
            await self.runtime.committer.close()

    async def _take(self, step: Any) -> None:
        match step:
            case Submit():
                await self._submit(step)
            case Advance():
                self.clock.advance(step.seconds)
            case PutAside():
                self.clock.advance(self.runtime.evict_after)
            case Restart():
                await self.runtime.__aexit__()
                self.runtime = self.open()
                await self.runtime.__aenter__()
                self.run = self.runtime.get(self.run.fid)
        await self._settle()

    async def _submit(self, step: Submit) -> None:
        lid, before = self.lids[step.lock], await self._lock(step.lock)
        if step.elsewhere:
            async with self.open(recover=False) as other:
                found = await self._all_at_once(other, lid, step)
        else:
            found = await self._all_at_once(self.runtime, lid, step)
        for (id, value), told in zip(step.candidates.items(), found, strict=True):  # noqa: A001
            known = self.decided.get((step.lock, id))
            if known is not None and known[0] == value:
                assert told == known[1], "the same candidate gets the same answer"
            elif known is not None:
                assert isinstance(told, CandidateInvalid | LockClosed)
            elif not before.open:
                assert isinstance(told, LockClosed)
            elif isinstance(told, Decision):
                assert told.released == (value % 2 == 0)
                self.decided[step.lock, id] = (value, told)
            elif isinstance(told, CandidateInvalid):
                assert value == "no number"
            else:
                assert isinstance(told, LockClosed), "another one was quicker"
                assert not (await self._lock(step.lock)).open

    async def _all_at_once(self, runtime: Runtime, lid: str, step: Submit) -> list[Any]:
        return await asyncio.gather(
            *(runtime.submit(self.run.fid, lid, value, id=id) for id, value in step.candidates.items()),  # noqa: A001
            return_exceptions=True,
        )

    async def _lock(self, name: str) -> LockRecord:
        return next(lock for lock in await self.runtime.locks(self.run.fid) if lock.name == name)

    async def _check(self) -> None:
        """What the stream holds is what people were told, and nothing is there twice."""
        events = await self.runtime.store.events(self.run.fid)
        record = RunRecord.fold(events)
        row = await self.run.row()
        assert row.state is record.state
        assert row.locks == len(record.open_locks)
        for name in NAMES:
            lock = record.locks[self.lids[name]]
            own = [event for event in events if event.data.get("lock") == lock.lid]
            assert [event.type for event in own].count(EventType.LOCK_OPENED) == 1
            ends = [
                each for each in own if each.type in (EventType.LOCK_RELEASED, EventType.LOCK_EXPIRED)
            ]
            assert len(ends) == (0 if lock.open else 1)
            ids = [candidate.id for candidate in lock.candidates]
            assert len(ids) == len(set(ids))
            for candidate in lock.candidates:
                told = self.decided.get((name, candidate.id))
                assert told is None or told[1] == lock.decision(candidate)
            if lock.expires is not None and lock.expires <= self.clock.now():
                assert lock.state in (LockState.RELEASED, LockState.EXPIRED)


def tell(steps: list[Any]) -> None:
    async def main(folder: str) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await Story(f"sqlite:///{Path(folder)}/runs.db").tell(steps)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(folder))


@settings(max_examples=10, deadline=None)
@given(st.lists(STEPS, max_size=5))
def test_a_lock_is_released_once_at_most_and_nobody_is_told_otherwise(steps: list[Any]) -> None:
    tell(steps)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.lists(STEPS, max_size=10))
def test_the_same_holds_for_many_longer_stories(steps: list[Any]) -> None:
    tell(steps)
