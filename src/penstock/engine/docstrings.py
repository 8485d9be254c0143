"""Docstrings of people's code: what they say of a function and of its parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple


class Docstring(NamedTuple):
    """What a docstring says. summary: its first paragraph. parameters: name → description."""

    summary: str = ""
    parameters: dict[str, str] = {}
    returns: str = ""


def docstring_of(item: Callable[..., Any] | type) -> Docstring:
    """The docstring of a function or class, in the style of Google, NumPy or Sphinx."""
    text = inspect.cleandoc(item.__doc__ or "")
    summary, _, rest = text.partition("\n\n")
    if not rest.strip() and ":param" not in summary:
        return Docstring(_one_line(summary))
    from docstring_parser import ParseError, parse

    try:
        parsed = parse(text)
    except ParseError:
        return Docstring(_one_line(summary))  # it is prose, which need not follow any style
    found = {about.arg_name: _one_line(about.description or "") for about in parsed.params}
    returns = parsed.returns.description if parsed.returns else ""
    return Docstring(
        _one_line(summary if ":param" not in summary else parsed.short_description or ""),
        {name: description for name, description in found.items() if description},
        _one_line(returns or ""),
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
