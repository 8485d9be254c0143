"""YAML 1.2 text as plain data with marks.

The events of PyYAML's parser are composed here, because its own composer follows YAML 1.1
(where `on` is a boolean and `12:30` a number), keeps the last of two equal keys in silence,
and lets a few lines of aliases grow into gigabytes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from penstock.document.findings import Findings, Unreadable, quote
from penstock.document.marks import MAX_DEPTH, Mark, Text
from penstock.document.numbers import real, whole
from penstock.document.yaml_errors import report_syntax

if TYPE_CHECKING:
    from collections.abc import Iterator

    from penstock.core.problems import Path

MAX_ALIASED: Final = 100_000
"""Values that aliases may add to those that are written out."""

_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMERIC: Final = frozenset("+-.0123456789")
_WHOLE: Final = re.compile(r"[-+]?[0-9]+")
_OCTAL_OR_HEX: Final = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_REAL: Final = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_STANDARD: Final = "tag:yaml.org,2002:"
_TEMPLATE_HINT: Final = 'text that starts with `{` or `[` needs quotes, as in "{{ .NAME }}"'


def parse_yaml(text: Text, findings: Findings) -> tuple[Any, Mark]:
    """The data of one YAML document and its marks. Raises Unreadable after reporting why."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Composer(yaml.parse(text.text, Loader=loader), text, findings).document()
    except yaml.YAMLError as error:
        report_syntax(error, text, findings)
        raise Unreadable from error


def is_text(plain: str) -> bool:
    """Whether this text without quotes means itself, and neither a number nor a word of YAML's."""
    if plain in _WORDS:
        return False
    return not any(form.fullmatch(plain) for form in (_WHOLE, _OCTAL_OR_HEX, _REAL))


class _Composer:
    """Builds data from parser events, and reports what no document may contain."""

    def __init__(self, events: Iterator[Any], text: Text, findings: Findings) -> None:
        self.events = events
        self.text = text
        self.findings = findings
        self.anchors: dict[str, tuple[Any, Mark] | None] = {}
        """What each anchor names; None while that is still being read."""
        self.aliased = 0
        self.path: list[str | int] = []

    def document(self) -> tuple[Any, Mark]:
        next(self.events)  # the start of the stream
        start = next(self.events)
        if isinstance(start, StreamEndEvent):
            self._refuse_empty()
        found = self._value(next(self.events), 1)
        next(self.events)  # the end of the document
        more = next(self.events)
        if isinstance(more, DocumentStartEvent):
            hint = "write one YAML list of specs, or a file for each document"
            self._refuse("a second document starts here; a file holds one", more, hint)
        if found[0] is None and not self.findings.problems:
            self._refuse_empty()
        return found

    def _value(self, event: Any, depth: int) -> tuple[Any, Mark]:
        kind = type(event)
        if kind is AliasEvent:
            return self._alias(event, depth)
        anchor = event.anchor
        if anchor is not None:
            self.anchors[anchor] = None
        at = event.start_mark
        mark = Mark(at.line, at.column)
        value: Any
        if kind is ScalarEvent:
            value = self._scalar(event)
        else:
            if depth > MAX_DEPTH:
                self._refuse(f"nested deeper than {MAX_DEPTH} levels", event)
            is_mapping = kind is MappingStartEvent
            self._check_tag(event, "map" if is_mapping else "seq")
            value = self._mapping(mark, depth) if is_mapping else self._sequence(mark, depth)
        if anchor is not None:
            self.anchors[anchor] = value, mark
        return value, mark

    def _sequence(self, mark: Mark, depth: int) -> list[Any]:
        values: list[Any] = []
        while type(event := next(self.events)) is not SequenceEndEvent:
            self.path.append(len(values))
            value, below = self._value(event, depth + 1)
            self.path.pop()
            mark.add(len(values), below)
            values.append(value)
        return values

    def _mapping(self, mark: Mark, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: tuple[Any, Any, Mark] | None = None
        while type(event := next(self.events)) is not MappingEndEvent:
            key = self._key(event, depth, first=not mark.keys)
            merging = key == "<<" and getattr(event, "implicit", (False,))[0] and not event.style
            at = event.start_mark
            duplicate = merged is not None if merging else key in mark.keys
            if duplicate:
                first = mark.keys[key][0] + 1
                self._report(f"the key {quote(key)} appears twice", event, f"first in line {first}", key)
            self.path.append(key)
            value, below = self._value(next(self.events), depth + 1)
            self.path.pop()
            mark.keys.setdefault(key, (at.line, at.column))
            if merging:
                merged = event, value, below
            else:
                values[key] = value
                mark.add(key, below)
        return self._merge(values, mark, *merged) if merged else values

    def _merge(
        self, values: dict[str, Any], mark: Mark, event: Any, source: Any, below: Mark
    ) -> dict[str, Any]:
        """The values, and in front of them what `<<` brings and they do not have."""
        sources = source if isinstance(source, list) else [source]
        marks = list(below.parts.values()) if isinstance(source, list) else [below]
        brought: dict[str, Any] = {}
        for part, part_mark in zip(sources, marks, strict=True):
            if not isinstance(part, dict):
                self._report("`<<` merges a mapping or a list of mappings", event, key="<<")
                continue
            for key, value in part.items():
                brought.setdefault(key, value)
                if key not in mark.parts:
                    mark.add(key, part_mark.parts[key])
                    mark.keys[key] = part_mark.keys[key]
        return brought | values

    def _key(self, event: Any, depth: int, *, first: bool) -> str:
        """The text of a key, whatever its type would be elsewhere."""
        if type(event) is ScalarEvent:
            if event.anchor is not None:
                self.anchors[event.anchor] = event.value, Mark(*_position(event))
            return str(event.value)
        value, _ = self._value(event, depth + 1)
        if isinstance(value, str):
            return value
        # As the first key, as in `{{ x }}` without quotes, it makes this no mapping at all.
        self._report("a key must be text", event, _TEMPLATE_HINT, about=None if first else "?")
        return "?"

    def _alias(self, event: Any, depth: int) -> tuple[Any, Mark]:
        name = event.anchor
        found = self.anchors.get(name)
        if found is None:
            if name in self.anchors:
                self._report(f"`*{name}` stands inside of what it names", event)
            else:
                self._report(
                    f"nothing is named `&{name}`", event, "text that starts with `*` needs quotes"
                )
            return None, Mark(*_position(event))
        value, mark = found
        self.aliased += mark.size
        if self.aliased > MAX_ALIASED:
            self._refuse(f"aliases add more than {MAX_ALIASED} values", event, "write out what is meant")
        if depth + mark.height > MAX_DEPTH + 1:
            self._refuse(f"nested deeper than {MAX_DEPTH} levels", event)
        return value, mark.moved(*_position(event))

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        plain, quoted = event.implicit
        if event.tag == "!":
            return text
        if event.tag is not None and not plain and not quoted:
            return self._tagged(event, text)
        return self._plain(event, text) if plain and not event.style else text

    def _plain(self, event: Any, text: str) -> Any:
        """What unquoted text means in the core schema of YAML 1.2."""
        if text in _WORDS:
            return _WORDS[text]
        if text[0] not in _NUMERIC:
            return text

        def report(message: str, hint: str) -> None:
            self._report(message, event, hint)

        if _WHOLE.fullmatch(text):
            return whole(text, report)
        if _OCTAL_OR_HEX.fullmatch(text):
            return whole(text, report, base=0)
        return real(text, report) if _REAL.fullmatch(text) else text

    def _tagged(self, event: Any, text: str) -> Any:
        tag = event.tag.removeprefix(_STANDARD)
        if tag == "str":
            return text
        value = self._plain(event, text)
        if tag == "float" and type(value) is int:
            return float(value)
        if {"null": type(None), "bool": bool, "int": int, "float": float}.get(tag) is not type(value):
            self._check_tag(event, "")
        return value

    def _check_tag(self, event: Any, own: str) -> None:
        if event.tag is None or event.tag in (_STANDARD + own, "!"):
            return
        tag = event.tag.replace(_STANDARD, "!!")
        hint = "tags have no meaning in a document; text that starts with `!` needs quotes"
        self._report(f"the tag {quote(tag)} does not fit this value", event, hint)

    def _report(
        self, message: str, event: Any, hint: str = "", key: str | None = None, about: str | None = None
    ) -> None:
        path: Path = (*self.path, key) if key is not None else tuple(self.path)
        wrong = (*path, about) if about is not None else path
        place = self.text.place(*_position(event))
        self.findings.report(message, path, hint=hint, place=place, about=wrong)

    def _refuse(self, message: str, event: Any, hint: str = "") -> None:
        self.findings.report(message, hint=hint, place=self.text.place(*_position(event)))
        raise Unreadable

    def _refuse_empty(self) -> None:
        hint = "write a flow (a mapping with `flow:` and `nodes:`) or a list of node specs"
        self.findings.report("the document is empty", hint=hint, place=self.text.place(0, 0))
        raise Unreadable


def _position(event: Any) -> tuple[int, int]:
    return event.start_mark.line, event.start_mark.column
