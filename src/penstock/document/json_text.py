"""JSON text as plain data, with marks that are made when a problem needs them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from penstock.document.findings import Findings, Unreadable, quote
from penstock.document.marks import MAX_DEPTH, Mark, Text
from penstock.document.numbers import real, whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.core.problems import Path

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(text: Text, findings: Findings) -> Any:
    """The data of a JSON document. Raises Unreadable after reporting why."""
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
        _Scanner(text, findings).scan()
        raise Unreadable from error
    if odd or _deep(data):
        # The decoder says neither where nor what; the scanner says both.
        _Scanner(text, findings).scan()
    return data


def locate_json(text: Text) -> Mark:
    """The marks of a JSON text that is known to be valid."""
    return _Scanner(text, Findings()).scan()


def _deep(data: Any) -> bool:
    level: list[Any] = [data]
    for _ in range(MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
        if not level:
            return False
    return any(isinstance(value, list | dict) for value in level)


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


class _Open:
    """A list or mapping whose end the scanner has not met yet, and the part it is at."""

    __slots__ = ("is_mapping", "mark", "part")

    def __init__(self, mark: Mark, *, is_mapping: bool) -> None:
        self.mark = mark
        self.is_mapping = is_mapping
        self.part: str | int | None = None if is_mapping else 0

    def move_on(self) -> None:
        """Go to the next part; which one it is in a mapping, its key will say."""
        self.part = self.part + 1 if isinstance(self.part, int) else None


class _Scanner:
    """Finds the marks of a JSON text, and reports what the decoder takes without a word.

    The text is known to be valid, at least up to where it is nested too deep.
    """

    def __init__(self, text: Text, findings: Findings) -> None:
        self.text = text
        self.findings = findings
        self.open: list[_Open] = []
        self.root = Mark(0, 0)
        self.halved = False

    def scan(self) -> Mark:
        """The mark of the whole document. Raises Unreadable when its data is of no use."""
        for token in _TOKEN.finditer(self.text.text):
            lexeme = token.group()
            if lexeme == ",":
                self.open[-1].move_on()
            elif lexeme in "}]":
                self.open.pop()
            elif lexeme != ":":
                self._start(lexeme, self.text.position(token.start()))
        if self.halved:  # nothing can be said about such a text: it cannot be written
            raise Unreadable
        return self.root

    def _start(self, lexeme: str, at: tuple[int, int]) -> None:
        text = self._string(lexeme, at) if lexeme[0] == '"' else None
        if text is not None and self.open and self.open[-1].part is None:
            self._key(text, at)
            return
        mark = Mark(*at)
        if not self.open:
            self.root = mark
        else:
            part = self.open[-1].part
            assert part is not None
            self.open[-1].mark.parts[part] = mark
        if lexeme in "{[":
            if len(self.open) == MAX_DEPTH:
                self._report(f"nested deeper than {MAX_DEPTH} levels", at, path=())
                raise Unreadable
            self.open.append(_Open(mark, is_mapping=lexeme == "{"))
        elif text is None:
            self._number(lexeme, at)

    def _key(self, key: str, at: tuple[int, int]) -> None:
        top = self.open[-1]
        top.part = key
        if key in top.mark.keys:
            first = top.mark.keys[key][0] + 1
            self._report(f"the key {quote(key)} appears twice", at, f"first in line {first}")
        top.mark.keys.setdefault(key, at)

    def _string(self, lexeme: str, at: tuple[int, int]) -> str:
        value: str = json.loads(lexeme)
        if any("\ud800" <= char <= "\udfff" for char in value):
            hint = r"an escape from `\ud800` to `\udfff` stands for a character only in a pair"
            self._report("half of a character is missing", at, hint)
            self.halved = True
        return value

    def _number(self, lexeme: str, at: tuple[int, int]) -> None:
        def report(message: str, hint: str) -> None:
            self._report(message, at, hint)

        if lexeme in ("NaN", "Infinity", "-Infinity"):
            report(f"`{lexeme}` is no finite number", "write a finite number, or the text in quotes")
        elif lexeme.lstrip("-").isdigit():
            whole(lexeme, report)
        elif lexeme not in ("true", "false", "null"):
            real(lexeme, report)

    def _report(
        self, message: str, at: tuple[int, int], hint: str = "", path: Path | None = None
    ) -> None:
        if path is None:
            path = tuple(opened.part for opened in self.open if opened.part is not None)
        self.findings.report(message, path, hint=hint, place=self.text.place(*at))


def _report_syntax(problem: str, offset: int, text: Text, findings: Findings) -> None:
    """Report what `json` complains about, in words that say what to change."""
    offset = _behind_the_comma(offset, text.text) if problem.startswith("Illegal trailing") else offset
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


def _behind_the_comma(offset: int, text: str) -> int:
    """Where Python up to 3.12 saw a trailing comma's mistake; later ones point at the comma itself."""
    return len(text) - len(text[offset + 1 :].lstrip())
