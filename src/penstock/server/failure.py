"""What is answered, and what is logged, when a handler fails."""

from __future__ import annotations

from penstock.core.errors import ClientGone, RequestRefused
from penstock.server.messages import Request, Response
from penstock.server.problem import problem, refusal
from penstock.server.service import LOG


def failure(request: Request, error: Exception) -> Response:
    """The answer when a handler raised: what it refused, or a 500 that tells nothing."""
    if isinstance(error, RequestRefused):
        return refusal(error)
    if not isinstance(error, ClientGone):  # nobody is there to be told
        LOG.error("the handler failed at %s %s", request.method, request.raw_path, exc_info=error)
    return problem(500)


def misfit(request: Request, reason: object) -> Response:
    """The answer when what the handler returned cannot be sent."""
    LOG.error("the answer to %s %s cannot be sent: %s", request.method, request.raw_path, reason)
    return problem(500)


def checked(answer: object) -> Response:
    """What a handler returned, which mypy may not have seen. Raises TypeError."""
    if not isinstance(answer, Response):
        raise TypeError(f"a handler answers with a Response, and not with {type(answer).__name__}")
    return answer
