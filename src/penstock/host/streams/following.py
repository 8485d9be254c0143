"""One client's place in the stream of a run, and all such places of a host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from penstock.core.errors import PenstockError, RunSuspended, StoreError
from penstock.host.streams.filter import Filter
from penstock.host.streams.pulse import Pulse
from penstock.host.streams.transcript import Transcript

if TYPE_CHECKING:
    from penstock.core.events import Event
    from penstock.engine.runtime import Runtime
    from penstock.engine.stream import Subscription

HEARTBEAT_SECONDS: Final = 15.0
"""After which a silent stream is heard of; after twice that at the latest."""

EVERYTHING: Final = Filter()


class Following:
    """Takes a run's events for one client.

    wanted: those that it asked for. transcript: shared by all who follow the run. until: it
    wants none behind this seq. stands: whether it may still have them.
    """

    def __init__(
        self,
        subscription: Subscription,
        *,
        wanted: Filter,
        transcript: Transcript,
        until: int | None,
        stands: Callable[[], bool],
    ) -> None:
        self.wanted = wanted
        self.transcript = transcript
        self._subscription = subscription
        self._until = until
        self.stands = stands
        self._stopped = False
        self._quiet = False

    @property
    def seq(self) -> int:
        """The last event that was taken, wanted or not."""
        return self._subscription.seq

    @property
    def over(self) -> bool:
        """Whether the run's last event was taken."""
        return self._subscription.ended

    @property
    def reached(self) -> bool:
        """Whether all that was asked for was taken."""
        return self.over or (self._until is not None and self.seq >= self._until)

    @property
    def done(self) -> bool:
        """Whether there is no more to take here, if only for now."""
        return self.reached or self._stopped or not self.stands()

    async def take(self) -> list[Event]:
        """The next events that are wanted, as soon as there are any.

        None when there is no more to take, and when nothing happened for long. Raises StoreError.
        """
        while not self.done:
            events = await self._next()
            wanted = self.wanted.select(events)
            if wanted:
                self._quiet = False
            if wanted or not events:
                return wanted
        return []

    async def _next(self) -> list[Event]:
        try:
            return await self._subscription.take()
        except StoreError:
            raise
        except RunSuspended:
            self._stopped = True
        except PenstockError:
            # The run cannot go on, which its row tells; but somebody may help it to.
            await self._subscription.rest()
        return []

    def beat(self) -> None:
        """Let `take` return, unless something was taken since the last beat."""
        if self._quiet:
            self._subscription.nudge()
        self._quiet = True

    def look(self) -> None:
        """See whether the client may still have the events."""
        if not self.stands():
            self._subscription.nudge()

    def stop(self) -> None:
        """There is to be no more."""
        self._stopped = True
        self._subscription.nudge()


class Followings:
    """Who follows which run of a host."""

    def __init__(self, runtime: Runtime, *, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> None:
        self._runtime = runtime
        self._pulse = Pulse(runtime.clock, period_seconds=heartbeat_seconds)
        self._transcripts: dict[str, Transcript] = {}
        self._all: set[Following] = set()
        self._retiring = False

    def __len__(self) -> int:
        return len(self._all)

    @contextmanager
    def follow(
        self,
        fid: str,
        *,
        after: int = 0,
        wanted: Filter = EVERYTHING,
        until: int | None = None,
        stands: Callable[[], bool] = lambda: True,
    ) -> Iterator[Following]:
        """Follow a run behind the event `after`."""
        with ExitStack() as stack:
            following = Following(
                stack.enter_context(self._runtime.streams.subscribe(fid, after)),
                wanted=wanted,
                transcript=stack.enter_context(self._transcript(fid)),
                until=until,
                stands=stands,
            )
            stack.callback(self._pulse.join(following.beat))
            self._all.add(following)
            stack.callback(self._all.discard, following)
            if self._retiring:
                following.stop()
            yield following

    @contextmanager
    def _transcript(self, fid: str) -> Iterator[Transcript]:
        transcript = self._transcripts.setdefault(fid, Transcript())
        transcript.followers += 1
        try:
            yield transcript
        finally:
            transcript.followers -= 1
            if not transcript.followers:
                self._transcripts.pop(fid, None)

    def look(self) -> None:
        """Rights have changed: end what may go on no longer."""
        for following in tuple(self._all):
            following.look()

    def retire(self) -> None:
        """End them all: the host is about to."""
        self._retiring = True
        for following in tuple(self._all):
            following.stop()
