"""Text, JSON and YAML: code that stands for itself, read when the graph is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.core.errors import DocumentError
from penstock.core.payload import Payload

if TYPE_CHECKING:
    from penstock.kinds.languages import Options, Program


def compile_text(code: str, options: Options) -> Program:  # noqa: ARG001 - it has none
    """A program that answers the code itself."""
    return _always(code)


def compile_json(code: str, options: Options) -> Program:  # noqa: ARG001 - it has none
    """A program that answers what the JSON says. Raises ValueError with line and column."""
    return _always(_read(code, "snippet.json"))


def compile_yaml(code: str, options: Options) -> Program:  # noqa: ARG001 - it has none
    """A program that answers what the YAML says. Raises ValueError with line and column."""
    return _always(_read(code, "snippet.yaml"))


def _read(code: str, file: str) -> Payload:
    from penstock.document.source import read_source

    try:
        return read_source(code, file=file).data
    except DocumentError as error:
        problem = error.problems[0]
        place = f"line {problem.place.line}, column {problem.place.column}: " if problem.place else ""
        raise ValueError(f"{place}{problem.message}") from error


def _always(value: Payload) -> Program:
    # Payloads are never changed in place, so that all answers can be one object.
    return lambda _payload: value
