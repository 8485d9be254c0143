"""Rendering: templates → HTML, with the headers that keep a page safe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from penstock.core.duration import format_seconds
from penstock.core.payload import to_json

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.responses import Response

    from penstock.host.api.call import Call

FOLDER: Final = Path(__file__).parent

_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
"""Of every page: no script or style but the host's own files, in no frame, and kept by nobody."""


def render(template: str, call: Call | None, *, status: int = 200, **facts: Any) -> Response:
    """A page. call: who sees it; None: nobody who is known."""
    principal = None if call is None or not call.principal.known else call.principal
    csrf = "" if call is None else call.host.access.csrf_token(call.principal)
    html = _TEMPLATES.get_template(template).render(principal=principal, csrf_token=csrf, **facts)
    return HTMLResponse(html, status, headers=HEADERS)


def _when(at: datetime | None) -> str:
    """A moment for people, to the second."""
    return "" if at is None else at.strftime("%Y-%m-%d %H:%M:%S UTC")


def _took(milliseconds: float | None) -> str:
    return "" if milliseconds is None else format_seconds(milliseconds / 1000)


def _pretty(value: Any) -> str:
    """A payload for people: text as it is, everything else as JSON."""
    if isinstance(value, str):
        return value
    return msgspec.json.format(to_json(value), indent=2).decode()


def _environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"when": _when, "took": _took, "pretty": _pretty}
    return found


_TEMPLATES: Final = _environment()
