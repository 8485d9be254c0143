"""What the schedules have in common: ticks, which of them count as missed, and what becomes of them."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Annotated, Final, Literal

from msgspec import Meta

from penstock.core.duration import Duration
from penstock.core.errors import NodeError, StoreError
from penstock.core.payload import Payload
from penstock.engine.kind import Trigger

if TYPE_CHECKING:
    from penstock.core.clock import Clock
    from penstock.engine.resident.trigger import TriggerContext

GRACE_SECONDS: Final = 5.0
"""How late a tick may be and still count as on time: a restart, or a busy moment, costs none."""

LOOK_SECONDS: Final = 30.0
"""How long to sleep at most: the clock on the wall may jump, and a machine may sleep as well."""

RETRY_SECONDS: Final = 1.0
"""How soon to try again what the store refused."""


class Scheduled(Trigger):
    """A trigger that starts a process for each tick.

    A tick is a point in time, in epoch seconds, and follows from the config alone. So all
    runtimes of a store agree on the ticks, and record a run for each of them exactly once.

    durable: record the run of each tick, once among all runtimes. missed: what becomes of the
    ticks that no runtime was there for. missed_limit: the most that `all` makes up for.
    overlap: whether a tick may start while the process of an earlier one still runs here.
    immediate: begin with the latest tick, if nothing was started for it.
    drain: how long to wait, before a reload or the end, for processes that are not durable.
    """

    durable: bool = True
    missed: Literal["skip", "once", "all"] = "skip"
    missed_limit: Annotated[int, Meta(ge=1, le=10_000)] = 100
    overlap: Literal["allow", "skip"] = "allow"
    immediate: bool = False
    drain: Duration = Duration(seconds=10)

    def after(self, moment: float) -> Iterator[float]:
        """The ticks later than a moment, the first one first."""
        raise NotImplementedError

    def until(self, moment: float) -> Iterator[float]:
        """The ticks up to a moment, itself included, the latest one first."""
        raise NotImplementedError

    @property
    def zone(self) -> tzinfo:
        """Where the times that processes are told are from."""
        return UTC

    async def open(self, ctx: TriggerContext) -> None:
        self._started: set[asyncio.Task[None]] = set()
        self._firing = asyncio.Lock()
        self._following = ctx.own(self._follow(ctx), f"{self.kind}:{ctx.node}")

    async def close(self) -> None:
        if not self._firing.locked():  # a run that is being recorded is recorded to the end
            self._following.cancel()

    async def drained(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.drain.total_seconds()):
                await self._firing.acquire()
                self._following.cancel()
                if self._started:
                    await asyncio.wait(self._started)

    # --- ticks --------------------------------------------------------------------

    async def _follow(self, ctx: TriggerContext) -> None:
        """Fire tick after tick. What the store refuses is tried again, and late if it must be."""
        since: float | None = None
        fresh = True
        while True:
            try:
                if since is None:
                    since = await self._first_since(ctx)
                now = ctx.clock.now()
                async with self._firing:
                    for tick, missed in self._due(ctx, since, now, fresh=fresh):
                        await self._fire(ctx, tick, missed=missed)
                        since = tick
            except StoreError as error:
                ctx.warn(f"a tick is not recorded yet: {error.message}")
                await _sleep_until(ctx.clock, ctx.clock.now() + RETRY_SECONDS)
                continue
            since, fresh = max(since, now), False
            upcoming = next(self.after(since), None)
            if upcoming is None:
                return
            await _sleep_until(ctx.clock, upcoming)

    async def _first_since(self, ctx: TriggerContext) -> float:
        """The moment behind which ticks are due: the latest that was fired, or now."""
        last = await ctx.last("out") if self.durable else None
        if last is not None:
            return last
        now = ctx.clock.now()
        return self._before_latest(now) if self.immediate else now

    def _before_latest(self, now: float) -> float:
        """The last moment before the latest tick."""
        return math.nextafter(next(self.until(now), now), -math.inf)

    def _due(
        self, ctx: TriggerContext, since: float, now: float, *, fresh: bool
    ) -> list[tuple[float, bool]]:
        """The ticks to fire, in order, each with whether it was missed."""
        late = now - GRACE_SECONDS
        if fresh and self.immediate:
            late = min(late, self._before_latest(now))
        most = {"skip": 0, "once": 1, "all": self.missed_limit}[self.missed]
        missed = list(islice(takewhile(lambda tick: tick > since, self.until(late)), most + 1))
        if len(missed) > most:
            dropped = missed.pop()
            ctx.warn("ticks were missed and are left out", up_to=self._text(dropped))
        timely = takewhile(lambda tick: tick <= now, self.after(max(since, late)))
        return [*((tick, True) for tick in reversed(missed)), *((tick, False) for tick in timely)]

    # --- firing -------------------------------------------------------------------

    async def _fire(self, ctx: TriggerContext, tick: float, *, missed: bool) -> None:
        if self.overlap == "skip" and ctx.active("out"):
            ctx.warn("a tick is left out: what an earlier one started still runs", tick=self._text(tick))
            return
        payload = {"time": self._text(tick), "timestamp": tick, "missed": missed}
        if self.durable:
            await ctx.start_once("out", payload, at=tick)
            return
        started = ctx.own(_start(ctx, payload), f"{self.kind}:{ctx.node}:{payload['time']}")
        self._started.add(started)
        started.add_done_callback(self._started.discard)

    def _text(self, tick: float) -> str:
        return datetime.fromtimestamp(tick, self.zone).isoformat().replace("+00:00", "Z")


async def _start(ctx: TriggerContext, payload: Payload) -> None:
    # Of a process that fails, the runtime tells.
    with contextlib.suppress(NodeError):
        await ctx.start("out", payload)


async def _sleep_until(clock: Clock, moment: float) -> None:
    """Wait until then, or wake up early to look at the clock again."""
    woken = asyncio.Event()
    timer = clock.call_later(min(max(0.0, moment - clock.now()), LOOK_SECONDS), woken.set)
    try:
        await woken.wait()
    finally:
        timer.cancel()
