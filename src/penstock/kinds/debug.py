"""Kinds for people who watch a flow run."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from penstock.core.payload import Error, Payload, to_json
from penstock.core.ports import Port, Ports
from penstock.engine.context import NodeContext
from penstock.engine.kind import Action, Inputs, Outputs

_LONGEST: Final = 10_000
"""Characters of a payload that a message shows."""

_DEEPEST: Final = 6
"""Levels of nesting that a shape shows."""

_WORDS: Final = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "text",
    bytes: "bytes",
    list: "list",
    dict: "object",
    Error: "error",
}


class Log(Action, kind="debug.log", aliases=("log",), pure=True, normalised=True):
    """Say what arrives, and pass it on.

    Text is said as it is, everything else as JSON, after a prefix: `DEBUG: {"id": 7}`. Only
    the first 10,000 characters are said; what is passed on is whole.

    Config: message (what to say when nothing is linked), prefix (default `DEBUG`; empty for
    none), level (`debug`, `info`, `warning` or `error`, for whoever filters events).

    Ports: message → out.

    Example:
        flow: greet
        nodes:
          - {kind: debug.log, message: Hello from Penstock}
    """

    message: Payload = None
    prefix: str = "DEBUG"
    level: Literal["debug", "info", "warning", "error"] = "info"

    in_ports: ClassVar[Ports] = {
        "message": Port(doc="what to say"),
    }
    out_ports: ClassVar[Ports] = {"out": Port(doc="what was said")}

    def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
        payload = inputs["message"]
        text = _text(payload)
        ctx.message(f"{self.prefix}: {text}" if self.prefix else text, level=self.level)
        return {"out": payload}


class Inspect(Action, kind="debug.inspect", aliases=("inspect",), pure=True, normalised=True):
    """Show the type, the size and the shape of what arrives, and pass it on.

    The findings are an event of type `node.data` (type, size, size_bytes, shape) and a line
    for people: `list of 3: [{id: integer, name: text}]`. Values are not shown, so that a
    payload with secrets in it can be inspected.

    Config: label (stands before the line).

    Ports: in → out.

    Example:
        flow: look
        inputs: {people: {type: array, default: [{name: Ada}]}}
        nodes:
          - {kind: debug.inspect, label: people}
    """

    label: str = ""

    in_ports: ClassVar[Ports] = {"in": Port(doc="what to look at", default=None)}
    out_ports: ClassVar[Ports] = {"out": Port(doc="what arrived at `in`")}

    def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
        payload = inputs["in"]
        found: dict[str, Payload] = {"type": _WORDS[type(payload)], "shape": _shape(payload)}
        if isinstance(payload, str | bytes | list | dict):
            found["size"] = len(payload)
        found["size_bytes"] = len(payload) if isinstance(payload, bytes) else len(to_json(payload))
        ctx.data(found | {"label": self.label} if self.label else found)
        said = _described(found)
        ctx.message(f"{self.label}: {said}" if self.label else said)
        return {"out": payload}


def _text(payload: Payload) -> str:
    text = payload if isinstance(payload, str) else to_json(payload).decode()
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}… ({len(text):,} characters)"


def _described(found: dict[str, Payload]) -> str:
    head = f"{found['type']} of {found['size']:,}" if "size" in found else str(found["type"])
    shape = found["shape"]
    return head if isinstance(shape, str) else f"{head}: {_flat(shape)}"


def _shape(payload: Payload, depth: int = 0) -> Payload:
    """Type words in the structure of the payload; a list shows the shapes it has, each once."""
    word = _WORDS[type(payload)]
    if depth >= _DEEPEST:
        return word
    if isinstance(payload, dict):
        return {key: _shape(value, depth + 1) for key, value in payload.items()}
    if isinstance(payload, list):
        shapes: list[Payload] = []
        for item in payload:
            shape = _shape(item, depth + 1)
            if shape not in shapes:
                shapes.append(shape)
            if len(shapes) == _DEEPEST:
                break
        return shapes
    return word


def _flat(shape: Payload) -> str:
    if isinstance(shape, dict):
        return "{" + ", ".join(f"{key}: {_flat(value)}" for key, value in shape.items()) + "}"
    if isinstance(shape, list):
        return "[" + " | ".join(map(_flat, shape)) + "]"
    return str(shape)
