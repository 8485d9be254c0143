"""The languages that a snippet can be written in.

A language compiles text once, when a graph is loaded, into a program that maps a payload
to a payload. Adding one is a file with such a function here, and a row in the table.
Nothing is imported before a document uses it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Final, Protocol, cast

import msgspec

from penstock.core.payload import Payload

Program = Callable[[Payload], Payload]
"""Compiled code: what came in → what it answers. Raises NodeError, or its own exception."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a program runs. A language ignores what does not concern it.

    limit_ms, memory_mb: what one evaluation may take (JavaScript).
    native: answer values rather than text (Jinja).
    """

    limit_ms: int = 1000
    memory_mb: int = 64
    native: bool = False


class Language(Protocol):
    """Compiles code. Raises ValueError with line and column when it is broken."""

    def __call__(self, code: str, options: Options) -> Program: ...


LANGUAGES: Final[dict[str, str]] = {
    "cel": "cel:compile_cel",
    "javascript": "javascript:compile_javascript",
    "jinja": "jinja:compile_jinja",
    "js": "javascript:compile_javascript",
    "json": "literal:compile_json",
    "python": "python:compile_python",
    "text": "literal:compile_text",
    "yaml": "literal:compile_yaml",
}
"""Name of a language → the `module:function` in this package that compiles it."""


def find_language(name: str) -> Language:
    """The language of that name, which is one of `LANGUAGES`."""
    module, _, function = LANGUAGES[name].partition(":")
    return cast("Language", getattr(import_module(f"{__name__}.{module}"), function))
