"""Types of ports: whether two can meet, and the check of a value against one."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Union

import msgspec

from penstock.core.errors import NodeError
from penstock.core.payload import Payload
from penstock.core.spec import decode_hook

_ANYTHING: Final = (Any, object)
_NUMBERS: Final = {(int, float), (bool, int), (bool, float)}
_PLAIN: Final = (str, int, float, bool, bytes)


def can_meet(source: Any, target: Any) -> bool:
    """Whether any payload of type `source` could be one of type `target`.

    In doubt, True: this rules out only what can never work.
    """
    for origin in _alternatives(source):
        for goal in _alternatives(target):
            if _pair_can_meet(origin, goal):
                return True
    return False


def _alternatives(hint: Any) -> tuple[Any, ...]:
    while typing.get_origin(hint) is typing.Annotated:
        hint = typing.get_args(hint)[0]
    if typing.get_origin(hint) in (Union, types.UnionType):
        return tuple(option for part in typing.get_args(hint) for option in _alternatives(part))
    if isinstance(hint, typing.TypeVar):
        return (Any,)
    return (hint,)


def _pair_can_meet(source: Any, target: Any) -> bool:
    if source in _ANYTHING or target in _ANYTHING:
        return True
    left, right = _shape(source), _shape(target)
    return left is None or right is None or left == right or (left, right) in _NUMBERS


def _shape(hint: Any) -> Any:
    """The payload type that a hint stands for, or None when that cannot be told."""
    if hint is None or hint is type(None):
        return type(None)
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        kinds = {type(value) for value in typing.get_args(hint)}
        return kinds.pop() if len(kinds) == 1 else None
    kind = origin or hint
    if not isinstance(kind, type):
        return None
    if kind in _PLAIN:
        return kind
    if dataclasses.is_dataclass(kind) or issubclass(kind, msgspec.Struct | Mapping):
        return dict
    if typing.is_typeddict(kind):
        return dict
    if issubclass(kind, Sequence | set | frozenset) and not issubclass(kind, str | bytes | bytearray):
        return list
    return None


def checker(hint: Any, port: str) -> Callable[[Payload], Any] | None:
    """A function that makes a payload a value of the hinted type, or None for Any.

    It raises NodeError with code `input.type` for one that does not fit.
    """
    if hint in _ANYTHING:
        return None

    def convert(value: Payload) -> Any:
        try:
            return msgspec.convert(value, hint, dec_hook=decode_hook)
        except (msgspec.ValidationError, ValueError) as error:
            raise NodeError(f"in-port `{port}`: {error}", code="input.type") from error

    if hint not in _PLAIN:
        return convert

    def check(value: Payload) -> Any:
        return value if type(value) is hint else convert(value)

    return check


def type_name(hint: Any) -> str:
    """A hint as people read it."""
    if hint in _ANYTHING:
        return "any"
    if isinstance(hint, type) and typing.get_origin(hint) is None:
        return hint.__name__
    return str(hint).replace("typing.", "").replace("penstock.core.payload.", "")
