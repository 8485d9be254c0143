"""Places as they are typed: a node, a port, and a condition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.core.errors import PenstockError
from penstock.core.ports import look_up
from penstock.core.problems import nearest, suggest
from penstock.engine.inspection.breakpoint import ANY, Breakpoint, Condition
from penstock.kinds.languages import Options, find_language

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.core.payload import Payload
    from penstock.engine.resident.symbol import Symbol


def split_place(text: str) -> tuple[str, str]:
    """Node and port of `NODE.PORT`; the port is empty where none is named."""
    # Neither names nor paths have a dot.
    node, _, port = text.partition(".")
    return node, port


def read_breakpoint(text: str, symbols: Mapping[str, Symbol]) -> tuple[Breakpoint, str]:
    """The breakpoint of `NODE[.PORT] [if EXPR]`, and a doubt about it, if there is one.

    Raises PenstockError for a port that the node does not have, and for a broken expression.
    """
    place, _, rest = text.strip().partition(" ")
    if not place:
        raise PenstockError("break where?", remedy="break NODE[.PORT] [if EXPR]")
    word, _, expression = rest.strip().partition(" ")
    expression = expression.strip()
    if word not in ("", "if") or (word == "if" and not expression):
        raise PenstockError(
            f"`{rest.strip()}` is no condition", remedy="write `if` and a CEL expression"
        )
    node, port = split_place(place)
    doubt = ""
    if node in symbols:
        _check_port(symbols[node], port)
    elif node != ANY and "/" not in node:
        near = nearest(node, symbols)
        meant = f"; did you mean `{near}`?" if near else ""
        doubt = f"no node of the namespace is called `{node}` at the moment{meant}"
    condition = _condition(expression) if expression else None
    return Breakpoint(node, port, condition=condition, text=expression), doubt


def _check_port(symbol: Symbol, port: str) -> None:
    if port in ("", ANY, "error"):
        return
    inputs, outputs = symbol.node.ports()
    if look_up(inputs, port) is None and look_up(outputs, port) is None:
        remedy = suggest(port, [*inputs, *outputs])
        raise PenstockError(f"`{symbol.key}` has no port `{port}`", remedy=remedy)


def _condition(expression: str) -> Condition:
    try:
        program = find_language("cel")(expression, Options())
    except ValueError as error:
        raise PenstockError(f"the expression cannot be used: {error}") from error

    def holds(payload: Payload) -> bool:
        answer = program(payload)
        if not isinstance(answer, bool):
            raise PenstockError(f"`{expression}` is neither true nor false")
        return answer

    return holds
