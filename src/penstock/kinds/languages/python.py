"""Python: an expression, or a `main` function. Trusted code; this is no sandbox."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from penstock.core.payload import Payload, normalise

if TYPE_CHECKING:
    from types import CodeType

    from penstock.kinds.languages import Options, Program


def compile_python(code: str, options: Options) -> Program:  # noqa: ARG001 - it has none
    """A program from an expression over `input`, or from code that defines `main(input)`.

    Raises ValueError with line and column. The body of a module runs once, here.
    """
    try:
        return _compiled(code)
    except SyntaxError as error:
        place = f"line {error.lineno}, column {error.offset}: " if error.lineno else ""
        raise ValueError(f"{place}{error.msg}") from error
    except (MemoryError, RecursionError) as error:  # what the parser says where its stack ends
        raise ValueError("it is nested too deeply") from error


def _compiled(code: str) -> Program:
    try:
        return _expression(compile(code.strip(), "<snippet>", "eval"))
    except SyntaxError:
        pass  # Not an expression: what is wrong with it, if anything, shows below.
    tree = ast.parse(code, "<snippet>")
    if not any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body):
        raise ValueError("it is neither an expression nor does it define `def main(input): ...`")
    return _function(compile(tree, "<snippet>", "exec"))


def _expression(code: CodeType) -> Program:
    def evaluate(payload: Payload) -> Payload:
        return normalise(eval(code, {"input": payload}))  # noqa: S307 - trusted by definition

    return evaluate


def _function(code: CodeType) -> Program:
    names: dict[str, Any] = {"__name__": "snippet"}
    try:
        exec(code, names)  # noqa: S102 - trusted by definition
        main: Callable[..., Any] = names["main"]
    except (Exception, SystemExit) as error:  # one that leaves must not take the runtime along
        raise ValueError(f"it failed while it was loaded: {type(error).__name__}: {error}") from error
    try:
        inspect.signature(main).bind(None)
    except TypeError as error:
        raise ValueError(f"`main` must take the payload as its one argument: {error}") from error

    def call(payload: Payload) -> Payload:
        return normalise(main(payload))

    return call
