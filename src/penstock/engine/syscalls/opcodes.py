"""Opcodes: what a graph may ask of the runtime, and how it is told that it may not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from penstock.core.errors import NodeError
from penstock.core.payload import Payload

Syscall = Callable[[Payload, str], Awaitable[Payload]]
"""What an opcode does with a payload; the second argument is the id of the process that asks."""

OPCODES: Final = tuple(
    f"{what}.{verb}"
    for what in ("nodes", "values", "symbols", "processes")
    for verb in ("create", "read", "update", "delete")
)

INVALID: Final = "invalid argument"
"""The code of every failure that is the caller's."""


def refusal(message: str, reason: str, *, remedy: str = "") -> NodeError:
    """A failure that is the caller's. reason: `inputs`, `not found`, `conflict`, `document`, `busy`."""
    return NodeError(message, code=INVALID, details={"reason": reason}, remedy=remedy)


def refuse_nothing(payload: Payload, what: str) -> None:
    """Refuse a payload that means nothing, where a call needs to be told what it is about."""
    if payload in (None, [], {}):
        remedy = "send one mapping, or a list of them"
        raise refusal(f"there are no {what} in the payload", "inputs", remedy=remedy)
