"""Kinds that change the form of a payload: JSON text into data and back."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from penstock.core.errors import NodeError
from penstock.core.json_text import JsonError, parse_json
from penstock.core.payload import Payload, to_json
from penstock.core.ports import Port, Ports
from penstock.engine.kind import Action, FieldError, Inputs, Outputs


class JsonParse(Action, kind="transform.json_parse", pure=True, normalised=True):
    """Turn JSON text into data.

    The text is read strictly, as RFC 8259 has it: no comments, no trailing commas, no NaN.
    Integers keep all their digits. Text may also come as UTF-8 bytes.

    Ports: json → parsed.

    Errors: `json.invalid`, with `line`, `column` and an `excerpt` in its details.

    Example:
        flow: parse
        nodes:
          - {kind: transform.json_parse, name: parse, json: '{"name": "Ada"}', links: {parsed: log}}
          - {kind: debug.log, name: log}
    """

    json: str | None = None

    in_ports: ClassVar[Ports] = {
        "json": Port(str | bytes, "the text"),
    }
    out_ports: ClassVar[Ports] = {"parsed": Port(doc="what the text says")}

    def run(self, inputs: Inputs) -> Outputs:
        text = inputs["json"]
        if not isinstance(text, str | bytes):
            raise NodeError(
                f"expected JSON text, but {_named(text)} arrived",
                code="json.invalid",
                remedy="link text to the port `json`; data that is parsed already needs no parsing",
            )
        try:
            return {"parsed": parse_json(text)}
        except JsonError as error:
            where = {"line": error.line, "column": error.column, "excerpt": error.excerpt}
            near = f", near `{error.excerpt}`" if error.excerpt else ""
            raise NodeError(
                f"this is not JSON: {error}{near}",
                code="json.invalid",
                details=where,
                remedy="look at what the node before sends; an HTML error page is a frequent guest",
            ) from error


class JsonStringify(Action, kind="transform.json_stringify", pure=True, normalised=True):
    """Turn data into JSON text.

    Config: indent (spaces; 0, the default, writes one line), sort_keys (keys in the order
    of their characters, so that equal data gives equal text).

    Ports: value → json. Bytes become base64 text; NaN and the infinities, for
    which JSON has no word, become null, as in JavaScript.

    Example:
        flow: stringify
        nodes:
          - kind: transform.json_stringify
            value: {name: Ada, born: 1815}
            indent: 2
    """

    value: Payload = None
    indent: int = 0
    sort_keys: bool = False

    in_ports: ClassVar[Ports] = {
        "value": Port(doc="the data"),
    }
    out_ports: ClassVar[Ports] = {"json": Port(str, "the text")}

    def check(self) -> None:
        if not 0 <= self.indent <= 16:
            raise FieldError("indent", f"it is {self.indent}; write a number of spaces from 0 to 16")

    def run(self, inputs: Inputs) -> Outputs:
        text = to_json(inputs["value"])
        if self.sort_keys:
            text = msgspec.json.encode(msgspec.json.decode(text), order="sorted")
        if self.indent:
            text = msgspec.json.format(text, indent=self.indent)
        return {"json": text.decode()}


def _named(value: Payload) -> str:
    if value is None:
        return "nothing"
    return f"a value of type `{type(value).__name__}`"
