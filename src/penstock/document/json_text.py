"""JSON text as plain data, with marks that are made when a problem needs them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from penstock.document.findings import Findings, Unreadable, quote
from penstock.document.marks import Mark, Text
from penstock.document.numbers import real, whole
from penstock.document.yaml_text import MAX_DEPTH

if TYPE_CHECKING:
    from collections.abc import Iterable

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(text: Text, findings: Findings) -> Any:
    """The data of a JSON document. Raises Unreadable after reporting why."""
    import json

    odd = bool(_SURROGATE.search(text.text))

    def oddity(*_: object) -> Any:
        nonlocal odd
        odd = True

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            oddity()
        return values

    try:
        data = json.loads(
            text.text,
            object_pairs_hook=mapping,
            parse_constant=oddity,
            parse_int=lambda digits: whole(digits, oddity),
            parse_float=lambda digits: real(digits, oddity),
        )
    except json.JSONDecodeError as error:
        _report_syntax(error.msg, error.pos, text, findings)
        raise Unreadable from error
    except RecursionError as error:
        _scan(text, findings)
        raise Unreadable from error
    if odd or _deep(data):
        # The decoder says neither where nor what; the scanner says both.
        _scan(text, findings)
    return data


def locate_json(text: Text) -> Mark:
    """The marks of a JSON text that is known to be valid."""
    return _scan(text, Findings())


def _deep(data: Any) -> bool:
    level: list[Any] = [data]
    for _ in range(MAX_DEPTH + 1):
        level = [child for value in level for child in _children(value)]
        if not level:
            return False
    return True


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


class _Open:
    """A list or mapping whose end the scanner has not met yet."""

    __slots__ = ("is_mapping", "key", "mark")

    def __init__(self, mark: Mark, *, is_mapping: bool) -> None:
        self.mark = mark
        self.is_mapping = is_mapping
        self.key: str | int | None = None if is_mapping else 0


def _scan(text: Text, findings: Findings) -> Mark:
    """The marks of a JSON text; reports equal keys, numbers and text that no payload can hold."""
    import json

    root: Mark | None = None
    stack: list[_Open] = []
    for token in _TOKEN.finditer(text.text):
        lexeme, top = token.group(), stack[-1] if stack else None
        if lexeme == ":":
            continue
        if lexeme == ",":
            assert top is not None
            top.key = None if top.is_mapping else int(top.key or 0) + 1
            continue
        if lexeme in "}]":
            closed = stack.pop().mark
            if stack:
                _attach(stack[-1], closed)
            continue
        at = text.position(token.start())
        if lexeme[0] == '"':
            _check_string(json.loads(lexeme, strict=False), at, text, findings)
        if top is not None and top.key is None:
            top.key = json.loads(lexeme, strict=False)
            _note_key(top, at, stack, text, findings)
            continue
        mark = Mark(*at)
        root = root or mark
        if lexeme in "{[":
            if len(stack) == MAX_DEPTH:
                findings.report(f"nested deeper than {MAX_DEPTH} levels", place=text.place(*at))
                raise Unreadable
            stack.append(_Open(mark, is_mapping=lexeme == "{"))
            continue
        _check_number(lexeme, at, text, findings)
        if top is not None:
            _attach(top, mark)
    return root or Mark(0, 0)


def _attach(parent: _Open, mark: Mark) -> None:
    assert parent.key is not None
    parent.mark.add(parent.key, mark)


def _note_key(
    top: _Open, at: tuple[int, int], stack: list[_Open], text: Text, findings: Findings
) -> None:
    key = str(top.key)
    if key in top.mark.keys:
        path = tuple(opened.key for opened in stack if opened.key is not None)
        first = top.mark.keys[key][0] + 1
        findings.report(
            f"the key {quote(key)} appears twice",
            path,
            hint=f"first in line {first}",
            place=text.place(*at),
        )
    top.mark.keys.setdefault(key, at)


def _check_string(value: str, at: tuple[int, int], text: Text, findings: Findings) -> None:
    if any("\ud800" <= char <= "\udfff" for char in value):
        hint = "an escape from `\\ud800` to `\\udfff` stands for a character only in a pair"
        findings.report("half of a character is missing", hint=hint, place=text.place(*at))


def _check_number(lexeme: str, at: tuple[int, int], text: Text, findings: Findings) -> None:
    def report(message: str, hint: str) -> None:
        findings.report(message, hint=hint, place=text.place(*at))

    if lexeme in ("NaN", "Infinity", "-Infinity"):
        report(f"`{lexeme}` is no finite number", "write a finite number, or the text in quotes")
    elif lexeme[0] in "-0123456789":
        number = whole if lexeme.lstrip("-").isdigit() else real
        number(lexeme, report)


def _report_syntax(problem: str, offset: int, text: Text, findings: Findings) -> None:
    """Report what `json` complains about, in words that say what to change."""
    before, after = text.text[:offset].rstrip(), text.text[offset : offset + 2]
    message, hint = f"{problem[:1].lower()}{problem[1:]}", ""
    if not text.text.strip():
        message, hint = "the document is empty", "write a mapping with `nodes` and `connections`"
    elif after in ("//", "/*") or after[:1] == "#":
        message, hint = "JSON has no comments", "remove the comment, or write the document as YAML"
    elif after[:1] == "'":
        message, hint = "JSON knows no single quotes", "write text in double quotes"
    elif problem.startswith(("Expecting property", "Illegal trailing")) and before.endswith(","):
        message, hint = "a `,` after the last entry", "remove the comma"
    elif problem.startswith("Expecting property"):
        message, hint = "a key must be text in double quotes", ""
    elif problem.startswith("Expecting value"):
        message = "the text ends too early" if not after else "a value is missing or misspelt"
        hint = "text needs double quotes; the words are `true`, `false` and `null`" if after else ""
    elif problem.startswith("Expecting ',' delimiter"):
        message = "a `,` or a closing bracket is missing"
    elif problem.startswith("Expecting ':' delimiter"):
        message = "a `:` is missing after the key"
    elif problem.startswith("Extra data"):
        message, hint = "the document ended before this", "a file holds one document"
    elif problem.startswith("Invalid control character"):
        message, hint = "text in double quotes cannot go on in the next line", r"write `\n` and `\t`"
    elif problem.startswith("Unterminated string"):
        message, hint = "the quoted text never ends", "close the quotes"
    findings.report(f"not valid JSON: {message}", hint=hint, place=text.place(*text.position(offset)))
