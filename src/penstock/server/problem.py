"""Errors as clients read them: problem+json, RFC 9457."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from penstock.core.errors import RequestRefused
from penstock.core.payload import Payload
from penstock.server.messages import Headers, Response


def title(status: int) -> str:
    """What a status is called, such as `Not Found`; "" for one that nobody has named."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def problem(status: int, detail: str = "", *, headers: Headers = (), **members: Payload) -> Response:
    """The answer that tells of an error.

    detail: what this client can do about this request. members: what else it may want to
    know, as fields of the document. Neither may tell of the inside of the server.
    """
    document: dict[str, Payload] = {"title": title(status) or "Error", "status": status}
    if detail:
        document["detail"] = detail
    document |= members
    body = msgspec.json.encode(document)
    return Response(status, [("Content-Type", "application/problem+json"), *headers], body)


def refusal(error: RequestRefused) -> Response:
    """The answer to a request that was refused."""
    return problem(error.status, error.message, headers=error.headers)
