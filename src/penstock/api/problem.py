"""What went wrong, as RFC 9457 has it."""

from __future__ import annotations

from typing import Final

import msgspec

PROBLEM_JSON: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:penstock:"


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong with a request. pointer: where, as a JSON Pointer (RFC 6901)."""

    detail: str
    pointer: str = ""
    remedy: str = ""


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request was not done.

    type: which error it is, `urn:penstock:` and its name in kebab-case. detail: what happened.
    remedy: what to do next. instance: the path that was asked for. errors: each thing that is
    wrong with the request.
    """

    title: str
    status: int
    type: str = "about:blank"
    detail: str = ""
    remedy: str = ""
    instance: str = ""
    errors: list[Fault] = []
