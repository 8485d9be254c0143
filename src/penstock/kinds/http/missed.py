"""The answer to a request that no route fits."""

from __future__ import annotations

from typing import Any, Final

from penstock.core.payload import Payload
from penstock.kinds.http.problem import problem
from penstock.kinds.http.routes import Routes

_SHOWN: Final = 200
"""Characters of a path that an answer repeats."""


def missed(routes: Routes[Any], method: str, path: str) -> Payload:
    """404; for a path that has routes for other methods 405, or 204 to OPTIONS, both with `Allow`.

    Raises ValueError for a path that is not UTF-8.
    """
    methods = routes.methods(path)
    shown = path if len(path) <= _SHOWN else f"{path[:_SHOWN]}…"
    if not methods:
        return problem(404, f"there is nothing at `{shown}`")
    allow = ", ".join(sorted(methods))
    if method == "OPTIONS":
        return {"status": 204, "headers": {"allow": allow}}
    detail = f"`{method:.40}` is not allowed at `{shown}`; allowed: {allow}"
    return problem(405, detail, headers={"allow": allow})
