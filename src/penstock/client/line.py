"""The rules by which a client and its host talk: what is asked again, and what an answer means."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

from penstock.api import Page
from penstock.client.effects import Answer, Ask, Found, Items, Open, Pause, Steps
from penstock.client.failures import failure_of, kind_of, problem_of
from penstock.core.clock import Clock
from penstock.core.duration import Duration
from penstock.core.errors import HostAway, HostError
from penstock.core.policies import Retry
from penstock.engine.clock import SystemClock

T = TypeVar("T")

PATIENCE: Final = Retry(
    attempts=6, delay=Duration(milliseconds=100), max_delay=Duration(seconds=5), jitter=0.5
)
"""About three seconds: a host that is started anew is there again by then."""

_BUSY: Final = frozenset({429, 502, 503, 504})
"""Answers of a host, or of a proxy before it, that may be another one a moment later."""
_DECIDED: Final = frozenset({"lock-undecided"})
"""Problems with such a status that are an answer all the same."""


class Line:
    """retry: how often a request that does no harm twice is sent, and how long in between."""

    def __init__(self, *, retry: Retry = PATIENCE, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self._retry = retry

    def send(self, ask: Ask) -> Steps[Answer]:
        """The answer, if it is a good one. Raises what the host says is wrong, and HostAway."""
        return (yield from self._insist(ask, ask))

    def open(self, wanted: Open) -> Steps[Answer]:
        """The head of a good answer, whose body comes in parts. Raises as `send` does."""
        return (yield from self._insist(wanted, wanted.ask))

    def fetch(self, kind: type[T], ask: Ask) -> Steps[T]:
        """The answer's body as one of these. Raises as `send` does."""
        answer = yield from self.send(ask)
        found: T = decoded(kind, answer)
        return found

    def pages(self, kind: type[T], ask: Ask) -> Items[T]:
        """The items of a list, page after page as they are taken."""
        cursor = ""
        while True:
            page = yield from self._page(kind, ask, cursor)
            for item in page.items:
                yield Found(item)
            cursor = page.next
            if not cursor:
                return

    def all(self, kind: type[T], ask: Ask) -> Steps[list[T]]:
        """The items of a list, which is never long, at once."""
        page = yield from self._page(kind, ask, "")
        found = page.items
        while page.next:
            page = yield from self._page(kind, ask, page.next)
            found += page.items
        return found

    def _page(self, kind: type[T], ask: Ask, cursor: str) -> Steps[Page[T]]:
        query = (*ask.query, ("cursor", cursor)) if cursor else ask.query
        answer = yield from self.send(msgspec.structs.replace(ask, query=query))
        page: Page[T] = decoded(Page[kind], answer)  # type: ignore[valid-type]
        return page

    def wait(self, failures: int) -> Steps[None]:
        """Wait before the next attempt, after so many that failed in a row."""
        yield Pause(self._retry.wait(failures, self.clock.chance()))

    def patient(self, failures: int) -> bool:
        """Whether there is another attempt after so many that failed in a row."""
        return failures < self._retry.attempts

    def _insist(self, effect: Ask | Open, ask: Ask) -> Steps[Answer]:
        failures = 0
        while True:
            try:
                answer: Answer = yield effect
            except HostAway:
                failures += 1
                if not ask.repeatable or not self.patient(failures):
                    raise
                yield from self.wait(failures)
                continue
            if answer.status < 300:
                return answer
            problem = problem_of(answer)
            failures += 1
            busy = answer.status in _BUSY and kind_of(problem) not in _DECIDED
            wanted = _seconds(answer.headers.get("retry-after", ""))
            if (
                not (busy and ask.repeatable and self.patient(failures))
                or wanted > self._retry.max_delay.total_seconds()
            ):
                raise failure_of(problem)
            if wanted:
                yield Pause(wanted)
            else:
                yield from self.wait(failures)


def decoded(kind: Any, answer: Answer) -> Any:
    """The body of an answer as one of these. Raises HostError for anything else."""
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except msgspec.MsgspecError as error:
        raise HostError(
            f"the host answered something that is no {getattr(kind, '__name__', kind)}: {error}",
            status=answer.status,
            remedy="is this the address of a Penstock host, and not of something before it?",
        ) from error


def _seconds(text: str) -> float:
    """A `Retry-After` in seconds; 0 where there is none, or a date."""
    return float(text) if text.isdigit() else 0.0
