"""Demands: what a lock asks for, as the flow says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from penstock.core.duration import Duration
from penstock.core.payload import Payload, normalise
from penstock.engine.hints import fit, schema_of
from penstock.engine.locks.schema import check_schema

RELEASE_TIMEOUT: Final = "1m"
"""How long whoever submits a candidate waits for the flow's decision, unless the flow says."""

_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")

Span = Duration | float | str
"""A length of time as people write it: `30s`, `2d`, or seconds."""


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """What a lock asks for. hint: the type that its answer is made, or `Any`.

    candidate_timeout, release_timeout: seconds, or None for no limit.
    """

    name: str
    schema: dict[str, Any] | None = None
    hint: Any = Any
    title: str = ""
    description: str = ""
    data: Payload = None
    candidate_timeout: float | None = None
    release_timeout: float | None = None

    def convert(self, value: Payload) -> Any:
        """What the flow gets for a payload: a value of the type that it asked for. Raises Unfit."""
        return fit(value, self.hint)


def demand(
    name: str,
    *,
    schema: Any = None,
    data: Any = None,
    title: str = "",
    description: str = "",
    candidate_timeout: Span | None = None,
    release_timeout: Span | None = RELEASE_TIMEOUT,
) -> Demand:
    """The demand that a flow makes with these words.

    schema: a JSON Schema, a type that has one, or None where anything will do. Raises ValueError
    for a name, a schema or a duration that is none.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"`{name}` cannot name a lock; use letters, digits, `-` and `_`")
    hint: Any = Any
    if schema is not None and not isinstance(schema, Mapping):
        hint = schema
        schema = schema_of(hint)
    plain: dict[str, Any] | None = None if schema is None else normalise(schema)
    if plain is not None:
        check_schema(plain)
    return Demand(
        name=name,
        schema=plain,
        hint=hint,
        title=title,
        description=description,
        data=normalise(data),
        candidate_timeout=_seconds(candidate_timeout),
        release_timeout=_seconds(release_timeout),
    )


def _seconds(span: Span | None) -> float | None:
    return None if span is None else Duration.parse(span).total_seconds()
