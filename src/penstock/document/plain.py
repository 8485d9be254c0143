"""Plain data: what the text of a document can say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from penstock.document.marks import MAX_DEPTH
from penstock.document.numbers import MOST_DIGITS

if TYPE_CHECKING:
    from penstock.core.problems import Path
    from penstock.document.findings import Findings

_LARGEST: Final = 10**MOST_DIGITS


def check_plain(data: Any, findings: Findings) -> None:
    """Report everything in `data` that no text of a document could have said."""
    stack: list[tuple[Any, Path]] = [(data, ())]
    while stack:
        value, path = stack.pop()
        match value:
            case None | bool():
                pass
            case str():
                _check_text(value, path, findings)
            case int() if abs(value) >= _LARGEST:
                findings.report(f"a whole number of more than {MOST_DIGITS} digits is too long", path)
            case float() if not math.isfinite(value):
                findings.report(f"`{value}` is no finite number", path, hint="write a finite number")
            case int() | float():
                pass
            case dict() | list() if len(path) >= MAX_DEPTH:
                findings.report(f"nested deeper than {MAX_DEPTH} levels", path[:3])
                return
            case dict():
                for key in value:
                    if isinstance(key, str):
                        _check_text(key, path, findings)
                    else:
                        findings.report(f"a key of type `{type(key).__name__}` is no text", path)
                # A path is made of text and numbers, so that nothing is said below another key.
                items = [(key, item) for key, item in value.items() if isinstance(key, str | int)]
                stack.extend((item, (*path, key)) for key, item in reversed(items))
            case list():
                stack.extend((value[index], (*path, index)) for index in reversed(range(len(value))))
            case _:
                message = f"a value of type `{type(value).__name__}` cannot stand in a document"
                findings.report(message, path, hint="it holds text, numbers, lists and mappings")


def _check_text(text: str, path: Path, findings: Findings) -> None:
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        findings.report("half of a character is missing", path)
