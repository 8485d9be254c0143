"""Problems as RFC 9457 has them, as payloads."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from penstock.core.payload import Payload

PROBLEM_JSON: Final = "application/problem+json"


def problem(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None, **members: Payload
) -> dict[str, Payload]:
    """The response that tells a client what is wrong: a mapping of status, headers and body."""
    return {
        "status": status,
        "headers": {"content-type": PROBLEM_JSON, **(headers or {})},
        "body": {
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
            **members,
        },
    }
