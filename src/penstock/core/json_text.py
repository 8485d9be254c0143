"""JSON text into payloads, strictly by RFC 8259, with the place of what is wrong."""

from __future__ import annotations

import msgspec

from penstock.core.payload import Payload


class JsonError(ValueError):
    """Text that is not JSON. `line` and `column` count from 1."""

    def __init__(self, reason: str, *, line: int, column: int, excerpt: str) -> None:
        super().__init__(f"line {line}, column {column}: {reason}")
        self.reason = reason
        self.line = line
        self.column = column
        self.excerpt = excerpt


def parse_json(text: str | bytes, *, depth: int | None = None) -> Payload:
    """The payload that the text says. Bytes are UTF-8; a byte order mark is skipped.

    depth: how deep arrays and objects may be within each other. Without one, what is too deep
    depends on how much of the stack is left. Raises JsonError. Integers keep all their digits; of
    a key that is there twice, the last value holds.
    """
    if text[:1] == "\ufeff" or text[:3] == b"\xef\xbb\xbf":
        text = text[1:] if isinstance(text, str) else text[3:]
    try:
        value = msgspec.json.decode(text)
    except RecursionError:
        raise _too_deep(depth) from None
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise _located(text, str(error)) from None
    if depth is not None and _brackets(text) > depth and is_deeper(value, depth):
        raise _too_deep(depth)
    return value


def is_deeper(value: Payload, depth: int) -> bool:
    """Whether lists and mappings are within each other deeper than this; a scalar has depth 0."""
    level = [value] if type(value) in (dict, list) else []
    for _ in range(depth):
        level = [
            item
            for each in level
            for item in (each.values() if type(each) is dict else each)
            if type(item) in (dict, list)
        ]
        if not level:
            return False
    return bool(level)


def _brackets(text: str | bytes) -> int:
    """At least as many as are open at any place: nearly always, that alone is few enough."""
    if isinstance(text, str):
        return text.count("[") + text.count("{")
    return text.count(b"[") + text.count(b"{")


def _too_deep(depth: int | None) -> JsonError:
    limit = "" if depth is None else f": at most {depth} arrays and objects may be within each other"
    return JsonError(f"the values are nested too deeply{limit}", line=1, column=1, excerpt="")


def _located(text: str | bytes, reason: str) -> JsonError:
    """Parse again with the slower parser of the standard library, which knows places."""
    import json

    if not isinstance(text, str):
        try:
            text = bytes(text).decode()
        except UnicodeDecodeError as error:
            before = bytes(error.object[: error.start]).decode()
            return _at(before, len(before), "this byte is not UTF-8")
    try:
        json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        return _at(text, error.pos, error.msg[:1].lower() + error.msg[1:])
    except (ValueError, RecursionError) as error:
        reason = str(error)
    return _at(text, 0, reason)


def _refuse(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


def _at(text: str, position: int, reason: str) -> JsonError:
    start = text.rfind("\n", 0, position) + 1
    excerpt = text[max(start, position - 20) : position + 20].partition("\n")[0]
    return JsonError(
        reason,
        line=text.count("\n", 0, position) + 1,
        column=position - start + 1,
        excerpt=excerpt,
    )
