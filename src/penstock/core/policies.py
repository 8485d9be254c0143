"""What may be said about how a node or a flow behaves when something goes wrong."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from penstock.core.duration import Duration


class Backoff(StrEnum):
    """How the wait grows from one retry to the next."""

    CONSTANT = "constant"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"


class Retry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Try again after a failure.

    attempts: how often in all, the first included; 1 never retries.
    delay: the wait before the first retry.
    backoff, factor: constant waits `delay`, linear `delay × n`, exponential `delay × factorⁿ⁻¹`
    before retry n.
    max_delay: no wait is longer.
    jitter: the share of the wait, 0 to 1, that is drawn at random around it.
    on: error codes worth another attempt; empty means every error.
    unless: error codes that are not, whatever `on` says.
    """

    attempts: Annotated[int, Meta(ge=1, le=1_000_000)] = 3
    delay: Duration = Duration(seconds=1)
    backoff: Backoff = Backoff.EXPONENTIAL
    factor: Annotated[float, Meta(ge=1)] = 2.0
    max_delay: Duration = Duration(minutes=5)
    jitter: Annotated[float, Meta(ge=0, le=1)] = 0.0
    on: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()

    def wait(self, retry: int, chance: float) -> float:
        """Seconds before retry number `retry` (from 1); `chance` is uniform in [0, 1)."""
        base = self.delay.total_seconds()
        cap = self.max_delay.total_seconds()
        if self.backoff is Backoff.LINEAR:
            wait = base * retry
        elif self.backoff is Backoff.EXPONENTIAL:
            try:
                wait = base * self.factor ** (retry - 1)
            except OverflowError:
                wait = cap
        else:
            wait = base
        wait = min(wait, cap)
        return min(wait * (1 + self.jitter * (2 * chance - 1)), cap)

    def covers(self, code: str) -> bool:
        """Whether an error of this code is worth another attempt."""
        return (not self.on or code in self.on) and code not in self.unless


class Strategy(StrEnum):
    """What a failure that nothing caught does to its flow."""

    STOP = "stop"
    CONTINUE = "continue"
    RETRY = "retry"


class OnError(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The flow's answer to a failure. `max_retries` and `delay` matter for `retry` only."""

    strategy: Strategy = Strategy.STOP
    max_retries: Annotated[int, Meta(ge=0)] = 3
    delay: Duration = Duration(0)


class Record(StrEnum):
    """How much of a run goes into its journal."""

    FULL = "full"
    EFFECTS = "effects"
    NONE = "none"


class Join(StrEnum):
    """What a node with several linked in-ports does when some of them close empty."""

    ALL = "all"
    ANY = "any"


class WorkerLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a worker process may use for one run; nothing said is no limit.

    memory_bytes: of the worker's memory that is resident at any moment. timeout: how long the
    run may keep a worker at a stretch; while it only waits it keeps none. retries: how often the
    run goes on in another worker after it lost one, before it fails.
    """

    memory_bytes: Annotated[int, Meta(ge=1)] | None = None
    timeout: Duration | None = None
    retries: Annotated[int, Meta(ge=0)] | None = None
