"""Events: a run's stream in pages, as server-sent events, and over a websocket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, cast

import msgspec
from starlette.responses import Response  # noqa: TC002 - a hint that is read

from penstock.api.pages import EventPage
from penstock.auth import Permission
from penstock.core.errors import PenstockError
from penstock.host.api.call import Call
from penstock.host.api.operation import Operations, Reply
from penstock.host.api.query import QueryReader
from penstock.host.api.runs import Wait
from penstock.host.problem import Refused, answer, problem_of
from penstock.host.streams.filter import Filter
from penstock.host.streams.pages import page
from penstock.host.streams.sockets import talk
from penstock.host.streams.sse import MEDIA_TYPE, EventStream, frames

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from starlette.requests import HTTPConnection, Request
    from starlette.types import Receive, Scope, Send

    from penstock.core.store import RunRow
    from penstock.host.host import Host
    from penstock.host.streams.following import Following

events = Operations("events")

EVENTS: Final = "/runs/{fid}/events"

Seq = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]

_LAST_ID: Final = "Last-Event-ID"


class EventsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """after: the seq behind which to begin. type: of these types; `node.` is all that begin so.
    node: of these firings, by their paths, or of these nodes, by their names. limit: events of a
    page. wait: seconds that a page may wait for its first event. follow: whether a stream goes on
    with what is to come.
    """

    after: Seq = 0
    type: list[str] = []
    node: list[str] = []
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    wait: Wait = 0.0
    follow: bool = True


@events.get(
    EVENTS,
    produces={MEDIA_TYPE: "A frame for each event as it happens, and `eof` when the run has ended."},
    headers={_LAST_ID: "The last `id` that a stream gave, to go on behind it."},
    errors={404: "No run has this id."},
)
async def list_events(call: Call, fid: str, query: EventsQuery) -> Reply[EventPage] | Response:
    """List the events of a run, or follow them.

    With `Accept: text/event-stream` they are streamed as they happen. Over a websocket, each is a
    text message of JSON, and `{"type":"eof"}` is the last one.
    """
    row = await call.run(fid)
    if MEDIA_TYPE in call.request.headers.get("accept", ""):
        return EventStream(frames(_following(call, row, query, waits=query.follow)))
    following = _following(call, row, query, waits=query.wait > 0)
    return Reply(await page(following, limit=query.limit, wait_seconds=query.wait))


class EventSocket:
    """The events of a run over a websocket, as an ASGI application."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._query = QueryReader(EventsQuery)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.websockets import WebSocket

        socket = WebSocket(scope, receive, send)
        try:
            following = await self._admit(socket)
        except PenstockError as error:
            headers = error.headers if isinstance(error, Refused) else ()
            await socket.send_denial_response(answer(problem_of(error, socket.url.path), headers))
            return
        await talk(socket, following)

    async def _admit(self, socket: HTTPConnection) -> AbstractContextManager[Following]:
        """Raises Refused, and RunNotFound."""
        principal = self._host.access.principal(socket)
        call = Call(self._host, cast("Request", socket), principal)  # of which it reads the head
        query = self._query.read(socket)
        row = await call.run(socket.path_params["fid"])
        return _following(call, row, query, waits=query.follow)


def _following(
    call: Call, row: RunRow, query: EventsQuery, *, waits: bool
) -> AbstractContextManager[Following]:
    """waits: for what is to come."""
    directory, principal = call.host.directory, call.principal

    def stands() -> bool:
        return directory.stands(principal) and call.may(
            Permission.VIEW, flow=row.flow, launcher=row.launcher
        )

    return call.host.followings.follow(
        row.fid,
        after=_last_id(call.request, query.after),
        wanted=Filter(query.type, query.node),
        until=None if waits or row.state.terminal else row.seq,
        stands=stands,
    )


def _last_id(connection: HTTPConnection, after: int) -> int:
    """Where to begin: a client that comes again says it by its header, whatever its address says."""
    text = connection.headers.get(_LAST_ID)
    if not text:
        return after
    try:
        return msgspec.convert(text, Seq, strict=False)
    except msgspec.ValidationError:
        raise Refused(
            400, f"`{_LAST_ID}: {text[:40]}` is no seq of an event", kind="invalid-query"
        ) from None
