"""Specs: what a document says, decoded but not yet compiled.

`at` fields point back into the document a spec came from, so that whoever finds a
problem later can name its place. They are no part of what a spec means: two specs that
differ only in them are equal and have the same digest.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

import msgspec

from penstock.core.duration import Duration
from penstock.core.policies import Join, OnError, Record, Retry, WorkerLimits
from penstock.core.problems import Path

LONGEST_NAME: Final = 200
"""Characters of a name or an id. No database has an index for text of any length."""

NAME: Final = re.compile(rf"[A-Za-z0-9_-]{{1,{LONGEST_NAME}}}")
"""What a node's, a value's or a flow's name may look like."""

ID: Final = re.compile(rf"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{{1,{LONGEST_NAME}}}")
"""What an id may look like: any characters that stand in one line."""

DEFAULT_NAMESPACE: Final = "default"


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """From out-port `port` of the node that holds the link to in-port `to` of `node`."""

    port: str
    node: str
    to: str = "in"
    at: Path = ()


class EnvRef(msgspec.Struct, frozen=True, kw_only=True):
    """Where a variable's text comes from: a value document, through an optional template."""

    name: str = ""
    id: str = ""
    data: Any = None
    at: Path = ()


class NodeSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One node. `config` holds the fields that belong to its kind, undecoded."""

    kind: str
    id: str = ""
    name: str = ""
    namespace: str = DEFAULT_NAMESPACE
    annotations: dict[str, str] = {}
    env: dict[str, EnvRef] = {}
    links: tuple[Link, ...] = ()
    retry: Retry | None = None
    timeout: Duration | None = None
    join: Join | None = None
    config: dict[str, Any] = {}
    at: Path = ()
    kind_at: Path = ()
    config_at: Path = ()

    @property
    def key(self) -> str:
        """How links refer to this node: its name, else its id."""
        return self.name or self.id


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a flow runs. `timeout` bounds the whole run, `max_parallel` the nodes at a time.

    executor: where its runs are executed, `inline` for the runtime's own process. worker: what a
    worker process may use for one of them, where an executor has such.
    """

    timeout: Duration | None = None
    max_parallel: int | None = None
    on_error: OnError = OnError()
    record: Record = Record.FULL
    executor: str = "inline"
    worker: WorkerLimits = WorkerLimits()


class FlowSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A flow that runs to completion.

    inputs: JSON Schema properties by name; `required` lists those without a default that
    must be given. outputs: result field → `node.port`; empty means the response rule.
    triggers are kept as written, for the runtime that will serve them. called: the flows
    that its nodes refer to, filled in when it is compiled, so that a revision is complete.
    """

    name: str
    id: str = ""
    description: str = ""
    inputs: dict[str, dict[str, Any]] = {}
    required: tuple[str, ...] = ()
    outputs: dict[str, str] = {}
    settings: Settings = Settings()
    nodes: tuple[NodeSpec, ...] = ()
    triggers: tuple[dict[str, Any], ...] = ()
    namespace: str = DEFAULT_NAMESPACE
    annotations: dict[str, str] = {}
    env: dict[str, EnvRef] = {}
    author: str = ""
    tags: tuple[str, ...] = ()
    called: dict[str, FlowSpec] = {}
    at: Path = ()

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema of the mapping that launches this flow."""
        schema: dict[str, Any] = {"type": "object", "properties": dict(self.inputs)}
        if self.required:
            schema["required"] = list(self.required)
        return schema


def _seconds(value: Any) -> float:
    if isinstance(value, Duration):
        return value.total_seconds()
    raise TypeError(f"no document form for `{type(value).__name__}`")


_ENCODER: Final = msgspec.json.Encoder(order="deterministic", enc_hook=_seconds)


def to_document(spec: NodeSpec | FlowSpec) -> dict[str, Any]:
    """The spec as plain JSON-shaped data, without the places it came from."""
    data = plain(spec)
    _drop_places(data)
    return data


def plain(value: msgspec.Struct) -> dict[str, Any]:
    """A struct as plain JSON-shaped data; a duration is its seconds."""
    data: dict[str, Any] = msgspec.json.decode(_ENCODER.encode(value))
    return data


def from_document(data: dict[str, Any]) -> FlowSpec:
    """The inverse of `to_document` for a flow."""
    return msgspec.convert(data, FlowSpec, dec_hook=decode_hook, strict=False)


def decode_hook(kind: type, value: Any) -> Any:
    """How msgspec reads the types that this package adds."""
    if kind is Duration:
        return Duration.parse(value)
    raise NotImplementedError(kind)


def digest(spec: NodeSpec | FlowSpec) -> str:
    """32 hexadecimal digits that are equal for specs that mean the same."""
    return hashlib.blake2b(_ENCODER.encode(to_document(spec)), digest_size=16).hexdigest()


def _drop_places(data: dict[str, Any]) -> None:
    for holder in (data, *data.get("env", {}).values()):
        holder.pop("at", None)
        holder.pop("kind_at", None)
        holder.pop("config_at", None)
    for link in data.get("links", ()):
        link.pop("at", None)
    for inner in (*data.get("nodes", ()), *data.get("called", {}).values()):
        _drop_places(inner)
