"""The endpoint of an operation: reads the request, calls, and writes the answer."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, get_origin

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from penstock.api.problem import Fault
from penstock.core.errors import ClientGone, PenstockError
from penstock.core.payload import to_json
from penstock.host.api.body import located, read_json
from penstock.host.api.call import Call
from penstock.host.api.operation import JSON, Operation, Reply
from penstock.host.problem import Refused, answer, internal, problem_of, status_of

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from penstock.host.host import Host

LOG: Final = logging.getLogger("penstock.host")


class Endpoint:
    """One operation of a host, as an ASGI application."""

    __slots__ = ("_decoder", "_host", "_lists", "operation")

    def __init__(self, host: Host, operation: Operation) -> None:
        self.operation = operation
        self._host = host
        reads = operation.body is not None and "body" in operation.handle.__annotations__
        self._decoder = msgspec.json.Decoder(operation.body) if reads else None
        self._lists = _lists(operation.query)

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
        if operation.query is not None:
            arguments["query"] = self._query(request)
        if self._decoder is not None:
            arguments["body"] = await read_json(request, self._decoder)
        found = await operation.handle(Call(self._host, request, principal), **arguments)
        if isinstance(found, Response):
            return found
        reply = found if isinstance(found, Reply) else Reply(found, operation.status)
        if reply.content is None and reply.status == 204:
            response = Response(status_code=204)
        else:
            response = Response(to_json(reply.content), reply.status, media_type=JSON)
        for name, value in reply.headers:
            response.headers.append(name, value)
        return response

    def _query(self, request: Request) -> Any:
        """The query string as the operation's struct. Raises Refused with status 400."""
        given: dict[str, Any] = {}
        for name, value in request.query_params.multi_items():
            if name in self._lists:
                given.setdefault(name, []).append(value)
            elif name in given:
                raise _wrong_query(name, "it may be given once")
            else:
                given[name] = value
        assert self.operation.query is not None
        try:
            return msgspec.convert(given, self.operation.query, strict=False)
        except msgspec.ValidationError as error:
            where, what = located(error)
            raise _wrong_query("".join(where[:1]), what) from None


def _wrong_query(name: str, what: str) -> Refused:
    about = f"the parameter `{name}`: {what}" if name else f"the query: {what}"
    return Refused(400, about, kind="invalid-query", faults=[Fault(pointer=f"?{name}", detail=what)])


def _lists(query: type | None) -> frozenset[str]:
    """The parameters that may be given several times."""
    if query is None:
        return frozenset()
    fields = msgspec.structs.fields(query)
    return frozenset(
        field.encode_name for field in fields if (get_origin(field.type) or field.type) in (list, tuple)
    )
