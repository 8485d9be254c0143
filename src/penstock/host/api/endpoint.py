"""The endpoint of an operation: reads the request, calls, and writes the answer."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from penstock.core.errors import ClientGone, PenstockError
from penstock.core.payload import to_json
from penstock.host.api.body import read_json
from penstock.host.api.call import Call
from penstock.host.api.operation import JSON, Operation, Reply
from penstock.host.api.query import QueryReader
from penstock.host.problem import Refused, answer, internal, problem_of, status_of

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from penstock.host.host import Host

LOG: Final = logging.getLogger("penstock.host")

_KEPT_BY_NOBODY: Final = {"Cache-Control": "no-store"}
"""What is answered depends on who asks, and some of it is secret."""


class Endpoint:
    """One operation of a host, as an ASGI application."""

    __slots__ = ("_decoder", "_host", "_query", "operation")

    def __init__(self, host: Host, operation: Operation) -> None:
        self.operation = operation
        self._host = host
        reads = operation.body is not None and "body" in operation.handle.__annotations__
        self._decoder = msgspec.json.Decoder(operation.body) if reads else None
        query = operation.query
        self._query: QueryReader[Any] | None = None if query is None else QueryReader(query)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            response = await self._answer(request)
        except (ClientDisconnect, ClientGone):
            return
        except PenstockError as error:
            if status_of(error) == 500:
                LOG.exception("%s failed", self.operation.name)
            headers = error.headers if isinstance(error, Refused) else ()
            response = answer(problem_of(error, request.url.path), headers)
        except Exception:
            # A defect: who asks learns that there was one, and the log says which.
            LOG.exception("%s failed", self.operation.name)
            response = answer(internal(request.url.path))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        operation = self.operation
        principal = await self._host.access.admit(request, operation)
        arguments: dict[str, Any] = dict(request.path_params)
        if self._query is not None:
            arguments["query"] = self._query.read(request)
        if self._decoder is not None:
            arguments["body"] = await read_json(request, self._decoder)
        found = await operation.handle(Call(self._host, request, principal), **arguments)
        if isinstance(found, Response):
            return found
        reply = found if isinstance(found, Reply) else Reply(found, operation.status)
        if reply.content is None and reply.status == 204:
            response = Response(status_code=204)
        else:
            response = Response(
                to_json(reply.content), reply.status, headers=_KEPT_BY_NOBODY, media_type=JSON
            )
        for name, value in reply.headers:
            response.headers.append(name, value)
        return response
