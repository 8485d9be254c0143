"""Facts: what a worker wants to be written down, looked at before it is believed.

Whoever reads a stream later, a replay first of all, relies on what its events hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from penstock.core.errors import PayloadError
from penstock.core.events import EventType
from penstock.core.payload import Error, Payload, decode, encode
from penstock.core.reason import Reason

Fact = tuple[str, str, dict[str, Payload]]
"""Type, node and data of an event that is not in the stream yet: it has neither seq nor time."""

_SUBJECTS: Final = ("node.", "child.", "lock.", "agent.")
"""What a worker may write of. That a run waits and goes on is asked of the run itself."""

_ASKED: Final = (EventType.RUN_WAITING, EventType.RUN_RESUMED)


class _Started(msgspec.Struct):
    kind: str = ""
    attempt: int = 1


class _Waiting(msgspec.Struct):
    timer: str
    until: float


class _Completed(msgspec.Struct):
    duration_ms: float | None = None
    many: tuple[str, ...] = ()
    state: dict[str, Any] = {}


class _Failed(msgspec.Struct):
    error: Error
    duration_ms: float | None = None


class _Retrying(msgspec.Struct):
    attempt: int
    error: Error
    until: float
    delay_ms: float | None = None


class _Progress(msgspec.Struct):
    fraction: float | None = None


class _ChildCompleted(msgspec.Struct):
    error: Error | None = None
    duration_ms: float | None = None


class _LockOpened(msgspec.Struct):
    lock: str
    name: str = ""
    title: str = ""
    description: str = ""
    schema: dict[str, Any] | None = None
    expires: float | None = None
    release_timeout: float | None = None


class _OfCandidate(msgspec.Struct):
    lock: str
    id: str
    by: str = ""
    reasons: tuple[Reason, ...] = ()


class _LockExpired(msgspec.Struct):
    lock: str
    reason: str = ""


_SHAPES: Final[dict[str, type[msgspec.Struct]]] = {
    EventType.NODE_STARTED: _Started,
    EventType.NODE_WAITING: _Waiting,
    EventType.NODE_COMPLETED: _Completed,
    EventType.NODE_FAILED: _Failed,
    EventType.NODE_RETRYING: _Retrying,
    EventType.NODE_PROGRESS: _Progress,
    EventType.CHILD_COMPLETED: _ChildCompleted,
    EventType.LOCK_OPENED: _LockOpened,
    EventType.LOCK_CANDIDATE: _OfCandidate,
    EventType.LOCK_DENIED: _OfCandidate,
    EventType.LOCK_RELEASED: _OfCandidate,
    EventType.LOCK_EXPIRED: _LockExpired,
}
"""What the data of an event must hold; more may be in it."""


def pack_facts(facts: Iterable[Fact]) -> bytes:
    """The stored form of facts."""
    return encode(list(facts))


def unpack_facts(packed: bytes) -> list[Fact]:
    """The facts again. Raises ValueError when a worker may not write them, or not like this."""
    facts = msgspec.convert(unpack(packed), list[Fact])
    for kind, _, data in facts:
        if not kind.startswith(_SUBJECTS) and kind not in _ASKED:
            raise ValueError(f"a worker may not write `{kind:.60}`")
        shape = _SHAPES.get(kind)
        if shape is not None:
            msgspec.convert(data, shape)
    return facts


def unpack(packed: bytes) -> Payload:
    """A payload from a worker. Raises ValueError when it is none."""
    try:
        return decode(packed)
    except (PayloadError, RecursionError, TypeError) as error:
        raise ValueError(f"not a payload: {error}") from error


def unpack_error(packed: bytes) -> Error:
    """The error of a failure. Raises ValueError when it is none."""
    return msgspec.convert(unpack(packed), Error)
