"""Flows on the wire."""

from __future__ import annotations

from typing import Any

import msgspec


class FlowView(msgspec.Struct, frozen=True, kw_only=True):
    """A flow that a host serves.

    source: what it is made of: `graph`, `python` or `crew`. executor: where its runs execute.
    status: `ready`, or `broken` with a reason. input_schema, output_schema: JSON Schema; None
    where a flow does not say what it returns. links: self, form, runs.
    """

    name: str
    namespace: str = ""
    description: str = ""
    author: str = ""
    tags: list[str] = []
    revision: str = ""
    source: str = "graph"
    executor: str = "inline"
    status: str = "ready"
    reason: str = ""
    input_schema: dict[str, Any] = {}
    output_schema: dict[str, Any] | None = None
    links: dict[str, str] = {}
