"""Operations: what a client can ask for, each declared once.

The declaration is what requests are checked against, what they are answered by, and what
`/openapi.json` tells of. An operation is a coroutine function with type hints:

    runs = Operations("runs")

    @runs.get("/runs/{fid}", errors={404: "There is no such run."})
    async def show_run(call: Call, fid: str) -> RunView:
        ...

Its parameters are found by name: `call`, then those of the path, `query` (a struct: the query
string) and `body` (a struct: the JSON of the request). What it returns is sent as JSON with the
status of the operation; a `Reply` says another status or headers, and a Starlette response is
sent as it is. What it raises becomes problem+json.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Coroutine, Iterator, Mapping
from types import UnionType
from typing import Any, Final, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from starlette.responses import Response

Handle = Callable[..., Coroutine[Any, Any, Any]]
HandleT = TypeVar("HandleT", bound=Handle)

JSON: Final = "application/json"

_PLACEHOLDER: Final = re.compile(r"{(\w+)(?::\w+)?}")


Content = TypeVar("Content")


class Reply(msgspec.Struct, Generic[Content], frozen=True):
    """An answer with a status or headers of its own."""

    content: Content
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a client can ask for.

    path: below the version's prefix, as Starlette writes it; rooted: without the prefix. open:
    answered without credentials, too. query, body: the structs that those are read as. forms:
    the body may be a form as well. status: of an answer that goes well. answers: status → the
    type of what is answered (None: nothing), and media types that say it otherwise, by
    `produces`. errors: status → when. headers: request headers that it heeds, and what for.
    """

    method: str
    path: str
    handle: Handle
    tag: str
    summary: str
    description: str = ""
    open: bool = False
    rooted: bool = False
    query: type | None = None
    body: type | None = None
    forms: bool = False
    consumes: tuple[str, ...] = ()
    status: int = 200
    answers: Mapping[int, Any] = {}
    produces: Mapping[str, str] = {}
    errors: Mapping[int, str] = {}
    headers: Mapping[str, str] = {}

    @property
    def name(self) -> str:
        """What clients call it: the OpenAPI `operationId`."""
        return self.handle.__name__

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The parameters of the path, in order."""
        return tuple(_PLACEHOLDER.findall(self.path))

    @property
    def unsafe(self) -> bool:
        """Whether it may change something."""
        return self.method not in ("GET", "HEAD", "OPTIONS")


class Operations:
    """A family of operations, in the order in which they were declared."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self._declared: list[Operation] = []

    def __iter__(self) -> Iterator[Operation]:
        return iter(self._declared)

    def get(self, path: str, **facts: Any) -> Callable[[HandleT], HandleT]:
        """Declare what a GET of a path answers; `facts` are fields of Operation."""
        return self.declare("GET", path, **facts)

    def post(self, path: str, **facts: Any) -> Callable[[HandleT], HandleT]:
        return self.declare("POST", path, **facts)

    def put(self, path: str, **facts: Any) -> Callable[[HandleT], HandleT]:
        return self.declare("PUT", path, **facts)

    def patch(self, path: str, **facts: Any) -> Callable[[HandleT], HandleT]:
        return self.declare("PATCH", path, **facts)

    def delete(self, path: str, **facts: Any) -> Callable[[HandleT], HandleT]:
        return self.declare("DELETE", path, **facts)

    def declare(
        self,
        method: str,
        path: str,
        *,
        status: int = 200,
        also: Mapping[int, Any] | None = None,
        body: type | None = None,
        **facts: Any,
    ) -> Callable[[HandleT], HandleT]:
        """Declare an operation.

        also: other statuses of answers that go well → the type of what is answered. body: the
        struct that the body is described by, where the function reads it itself.
        """

        def wrap(handle: HandleT) -> HandleT:
            hints = get_type_hints(handle)
            summary, _, description = (inspect.getdoc(handle) or "").partition("\n")
            self._declared.append(
                Operation(
                    method=method,
                    path=path,
                    handle=handle,
                    tag=self.tag,
                    summary=summary.rstrip("."),
                    description=description.strip(),
                    query=hints.get("query"),
                    body=hints.get("body", body),
                    status=status,
                    answers={status: _answered(hints["return"]), **(also or {})},
                    **facts,
                )
            )
            return handle

        return wrap


def _answered(hint: Any) -> Any:
    """The type of what is sent as JSON, of the type that a function returns."""
    if get_origin(hint) in (Union, UnionType):
        (hint,) = [each for each in get_args(hint) if each is not Response]
    if get_origin(hint) is Reply:
        (hint,) = get_args(hint)
    return None if hint in (type(None), Response) else hint
