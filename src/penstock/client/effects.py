"""What a conversation with a host consists of, without the means to have it.

Everything that a client can do is written once, as a generator of effects: it yields what is to
be done (send this, wait that long), is sent what came of it, and returns the result. A driver
does it, in the thread that calls or on an event loop (drivers.py); tests do it with a table.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar
from urllib.parse import quote

import msgspec

from penstock.core.payload import Payload, to_json

T = TypeVar("T")

_JSON: Final = {"Content-Type": "application/json"}


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A request. Sent as it is yielded, it gives an Answer; raises HostAway when none comes.

    path: below the version's prefix, percent-encoded. wait: seconds that the host may take on
    purpose before it answers. repeatable: sending it again does no harm.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = {}
    body: bytes | None = None
    wait: float = 0.0
    repeatable: bool = True


class Answer(msgspec.Struct, frozen=True):
    """What a host answered. headers: by name in lower case. body: empty where it comes in parts."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class Open(msgspec.Struct, frozen=True):
    """Ask, and leave the body of a good answer to `Next`. events: it is a stream of events."""

    ask: Ask
    events: bool = False


class Next:
    """The next part of what is open, bytes or a Notice; None behind the last one.

    Raises HostAway when it is cut.
    """


class Notice(Protocol):
    """A server-sent event."""

    @property
    def event(self) -> str: ...

    @property
    def data(self) -> str: ...


class Pause(NamedTuple):
    """Wait."""

    seconds: float


class Work(NamedTuple):
    """Call something that may block, such as reading a file; gives what it returns."""

    call: Callable[[], Any]


class Found(msgspec.Struct, Generic[T], frozen=True):
    """One item for whoever iterates."""

    item: T


Effect = Ask | Open | Next | Pause | Work

Steps = Generator[Effect, Any, T]
"""A conversation that comes to a result."""

Items = Generator[Effect | Found[T], Any, None]
"""A conversation that finds items on its way."""


def work(call: Callable[[], T]) -> Steps[T]:
    found: T = yield Work(call)
    return found


def get(*path: str, wait: float = 0.0, **query: object) -> Ask:
    """A GET of a path by its parts; what is None, empty or False is left out of the query.

    wait: seconds that the host is asked to wait for what comes.
    """
    return Ask(method="GET", path=joined(path), query=_pairs({**query, "wait": wait or None}), wait=wait)


def post(
    *path: str,
    body: Payload | msgspec.UnsetType = msgspec.UNSET,
    key: str = "",
    wait: float = 0.0,
    within: float = 0.0,
    repeatable: bool = False,
) -> Ask:
    """A POST of JSON. key: with one it may be repeated, for the host does it only once.

    wait: seconds that the host is asked to wait for what comes. within: seconds that it may
    take for other reasons.
    """
    headers = {"Idempotency-Key": key} if key else {}
    return Ask(
        method="POST",
        path=joined(path),
        query=_pairs({"wait": wait or None}),
        headers=headers if body is msgspec.UNSET else {**headers, **_JSON},
        body=None if body is msgspec.UNSET else to_json(body),
        wait=wait + within,
        repeatable=repeatable or bool(key),
    )


def patch(*path: str, body: Payload) -> Ask:
    """A PATCH of JSON: it says what something is to be, so saying it twice does no harm."""
    return Ask(method="PATCH", path=joined(path), headers=_JSON, body=to_json(body))


def put(*path: str, body: Payload) -> Ask:
    return Ask(method="PUT", path=joined(path), headers=_JSON, body=to_json(body))


def delete(*path: str) -> Ask:
    return Ask(method="DELETE", path=joined(path))


def joined(path: Iterable[str]) -> str:
    """The path of these parts, whatever they are made of."""
    return "/" + "/".join(quote(part, safe="") for part in path)


def _pairs(query: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, "true" if one is True else str(one))
        for name, value in query.items()
        for one in (value if isinstance(value, list | tuple) else [value])
        if one is not None and one != "" and one is not False
    )
