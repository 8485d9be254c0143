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


def parse_json(text: str | bytes) -> Payload:
    """The payload that the text says. Bytes are UTF-8; a byte order mark is skipped.

    Raises JsonError. Integers keep all their digits; of a key that is there twice, the
    last value holds.
    """
    if text[:1] == "\ufeff" or text[:3] == b"\xef\xbb\xbf":
        text = text[1:] if isinstance(text, str) else text[3:]
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        raise JsonError("the values are nested too deeply", line=1, column=1, excerpt="") from None
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise _located(text, str(error)) from None


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
