"""`router`: which way a request goes."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from penstock.core.errors import NodeError
from penstock.core.payload import Payload
from penstock.core.ports import Port, Ports, family
from penstock.engine.kind import FieldError, Relay, Relayed, field
from penstock.kinds.http.methods import parse_methods
from penstock.kinds.http.missed import missed
from penstock.kinds.http.problem import problem
from penstock.kinds.http.routes import ANY, Routes


class Route(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One route of a `router`: requests with this method and path go to this port.

    method: one or several; `*`, the default, is every method.
    """

    path: str
    port: str
    method: str | list[str] = ANY


class Router(Relay, kind="router", aliases=("http.router",), pure=True, normalised=True):
    """Send a request to the port of the route that fits its method and path.

    Config: routes, a list of `method` (one, or a list; `*`, the default, is every method), `path`
    and `port`. A segment `:name` of a path fits one segment of the request's and `*name` at the
    end fits all the rest, or nothing; what they fit is in `params`, by name (`*` alone is
    called `*`).

    - The most specific route fits, whatever the order: from left to right, a segment that is
      written out goes before `:name`, and that before `*`.
    - A slash at the end makes no difference: `/users/` is `/users`.
    - Paths are split first and decoded then: `%2F` belongs to its segment. A path that is not
      UTF-8 is answered with 400.
    - A GET route takes HEAD too, unless there is one for HEAD.

    When no route fits, the port `miss` gets an answer: 404, or 405 with `Allow` when the path has
    routes for other methods, or, to OPTIONS, 204 with `Allow`. Where nothing hangs from `miss`,
    this is the response. To look after such requests yourself, add a route `/*`.

    Ports: in, a mapping with `method` and `path`, as a `listener` sends it → out[i], the request
    with its `params`; miss.

    Errors: `router.request` when what arrives has no method and path.

    Example:
        flow: shop
        inputs:
          method: {type: string, default: GET}
          path: {type: string, default: /orders/7}
        nodes:
          - {kind: snippet, name: request, language: cel, code: self, links: {out: router}}
          - kind: router
            name: router
            routes:
              - {method: GET, path: /orders, port: "out[0]"}
              - {method: GET, path: /orders/:id, port: "out[1]"}
              - {method: [PUT, PATCH], path: /orders/:id, port: "out[2]"}
            links: {"out[0]": list, "out[1]": show, "out[2]": change}
          - {kind: snippet, name: list, language: text, code: all orders}
          - {kind: snippet, name: show, language: cel, code: '"order " + self.params.id'}
          - {kind: snippet, name: change, language: cel, code: '"changed " + self.params.id'}
    """

    routes: list[Route]
    table: Routes[str] = field(init=False, default_factory=Routes)

    in_ports: ClassVar[Ports] = {"in": Port(doc="the request", default=None)}
    out_ports: ClassVar[Ports] = {
        "out[]": Port(doc="the request, when the route of this port fits"),
        "miss": Port(doc="404, 405 or 204, when no route fits"),
    }

    def check(self) -> None:
        table: Routes[str] = Routes()
        mistakes: list[FieldError] = []
        for number, route in enumerate(self.routes):
            if family(route.port) != "out[]":
                message = f"there is no port `{route.port}`; write `out[{number}]`"
                mistakes.append(FieldError(("routes", number, "port"), message))
            try:
                methods = parse_methods(route.method)
            except ValueError as error:
                mistakes.append(FieldError(("routes", number, "method"), str(error)))
                continue
            try:
                table.add(route.path, methods, route.port)
            except ValueError as error:
                mistakes.append(FieldError(("routes", number, "path"), str(error)))
        if mistakes:
            raise ExceptionGroup("the routes cannot be used", mistakes)
        self.table = table

    def relay(self, payload: Payload) -> Relayed:
        try:
            method, path = payload["method"], payload["path"]
            match = self.table.find(method, path)
        except (TypeError, KeyError, AttributeError) as error:
            raise _not_a_request(payload) from error
        except ValueError as error:
            return "miss", problem(400, str(error))
        if match is None:
            return "miss", missed(self.table, method, path)
        port, found = match
        if not found and "params" in payload:
            return port, payload
        params = {**(payload.get("params") or {}), **found}
        return port, {**payload, "params": params}


def _not_a_request(payload: Payload) -> NodeError:
    return NodeError(
        f"a payload of type `{type(payload).__name__}` arrived that has no `method` and `path`",
        code="router.request",
        remedy="link the router to a listener, or send it a mapping with both as text",
    )
