r"""Statements: SQL with placeholders, read once and written anew for each driver.

A placeholder is `?` or `:name`, outside of quotes and comments; `\?` and `\:` are the
characters themselves. Drivers have placeholders of their own (PEP 249 calls that the
paramstyle), which nobody who writes a flow should have to know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from penstock.core.payload import Payload

Key = str | int
"""A parameter: its name, or the place of its `?` in the statement, from 0."""

Values = Mapping[Key, Payload]

_TOKEN: Final = re.compile(
    r"""
    (?P<quoted> [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*`
        | --[^\n]* | /\*.*?\*/ | (?<![\w$])\$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
    | \\(?P<escaped> [?:] )
    | (?P<cast> :: )
    | (?<!\w) : (?P<name> [^\W\d]\w* )
    | (?P<place> \? )
    | (?P<word> [^\W\d]\w* )
    """,
    re.VERBOSE | re.DOTALL,
)
_WRITES: Final = frozenset({"insert", "update", "delete", "merge", "into"})


class Placeholder(NamedTuple):
    """Where a parameter goes."""

    key: Key


class Statement:
    """One statement. Raises ValueError when it mixes both sorts of placeholders.

    names: the parameters by name, in order. places: how many `?` there are. is_query: it
    reads and does nothing else. returns: rows come back from what it writes. counted: as many
    rows are written as there are sets of parameters.
    """

    def __init__(self, text: str) -> None:
        self.text = text.strip().removesuffix(";")
        self._parts: list[str | Placeholder] = []
        names: dict[str, None] = {}
        self.places = 0
        words: list[str] = []
        end = 0
        for token in _TOKEN.finditer(self.text):
            if token["word"]:
                words.append(token["word"].lower())
            elif token["name"] or token["place"] or token["escaped"]:
                self._parts.append(self.text[end : token.start()])
                end = token.end()
                if token["name"]:
                    names[token["name"]] = None
                    self._parts.append(Placeholder(token["name"]))
                elif token["place"]:
                    self._parts.append(Placeholder(self.places))
                    self.places += 1
                else:
                    self._parts.append(token["escaped"])
        self._parts.append(self.text[end:])
        self.names = tuple(names)
        if self.names and self.places:
            raise ValueError(f"it mixes `?` and `:{self.names[0]}`; write \\? or \\: for the character")
        verb, said = words[0] if words else "", frozenset(words)
        self.returns = "returning" in said
        self.is_query = verb in ("select", "values", "table") and "into" not in said
        self.is_query |= verb == "with" and not said & _WRITES
        self.counted = verb == "insert" and not said & {"on", "returning", "select"}
        self._written: dict[str, tuple[str, tuple[Key, ...]]] = {}

    @property
    def takes_parameters(self) -> bool:
        return bool(self.names or self.places)

    def written(self, style: str) -> tuple[str, tuple[Key, ...]]:
        """The text for a driver of this paramstyle, and its parameters in their order."""
        if style not in self._written:
            self._written[style] = self._write(style)
        return self._written[style]

    def arranged(self, values: Values, style: str) -> tuple[Payload, ...] | dict[str, Payload]:
        """The values as a driver of this paramstyle takes them."""
        _, order = self.written(style)
        if style in ("named", "pyformat"):
            return {_name(key): values[key] for key in order}
        return tuple(values[key] for key in order)

    def _write(self, style: str) -> tuple[str, tuple[Key, ...]]:
        percent = style in ("format", "pyformat") and self.takes_parameters
        order: list[Key] = []
        text = []
        for part in self._parts:
            if isinstance(part, str):
                text.append(part.replace("%", "%%") if percent else part)
                continue
            key = part.key
            if style in ("qmark", "format") or key not in order:
                order.append(key)
            text.append(_placeholder(style, key, order.index(key) + 1))
        return "".join(text), tuple(order)


def _placeholder(style: str, key: Key, number: int) -> str:
    match style:
        case "qmark":
            return "?"
        case "format":
            return "%s"
        case "numeric":
            return f":{number}"
        case "numeric_dollar":
            return f"${number}"
        case "named":
            return f":{_name(key)}"
        case "pyformat":
            return f"%({_name(key)})s"
        case _:
            raise ValueError(f"`{style}` is no paramstyle of PEP 249")


def _name(key: Key) -> str:
    return key if isinstance(key, str) else f"p{key + 1}"
