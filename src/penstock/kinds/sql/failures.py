"""What databases and their drivers raise, as the failures that a flow can tell apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from penstock.core.errors import NodeError
from penstock.core.payload import Payload

_MASK: Final = "•••"
_SHORTEST: Final = 4
"""Characters of the shortest value that is masked wherever it stands; a shorter one within quotes."""
_ARGUMENT: Final = re.compile(r"invalid input for query argument \$(\d+):.*", re.DOTALL)
"""What asyncpg says of a value that it cannot send: it quotes a part of it."""

_AGAIN: Final = "give the node a `retry`"
_REMEDIES: Final = {
    "sql.connect": "check that the database runs and can be reached, and its user and password",
    "sql.connection": _AGAIN,
    "sql.timeout": f"{_AGAIN}, or look what keeps the database busy",
    "sql.conflict": "repeat the whole transaction: a `retry` node around it, or `retry` on this node "
    "where it has one of its own",
    "sql.statement": "correct the statement; several statements are written as a list",
    "sql.integrity": "look at the constraint; ON CONFLICT says what to do instead of failing",
    "sql.data": "send values that the columns can hold",
    "sql.parameters": "send values of the types that the statement takes",
}

_STATES: Final = {
    "40001": "sql.conflict",
    "40P01": "sql.conflict",
    "55P03": "sql.conflict",
    "57014": "sql.timeout",
    "57P01": "sql.connection",
    "57P02": "sql.connection",
    "57P03": "sql.connect",
    "53300": "sql.connect",
    "3D000": "sql.connect",
    "08": "sql.connection",
    "28": "sql.connect",
    "23": "sql.integrity",
    "22": "sql.data",
    "42": "sql.statement",
    "0A": "sql.statement",
    "26": "sql.statement",
}
"""SQLSTATE or its class → code."""

_SQLITE: Final = {
    1: "sql.statement",
    5: "sql.conflict",
    6: "sql.conflict",
    8: "sql.statement",
    9: "sql.timeout",
    14: "sql.connect",
    18: "sql.data",
    19: "sql.integrity",
    20: "sql.data",
    25: "sql.parameters",
    26: "sql.connect",
}
"""Primary result code of SQLite → code."""

_MYSQL: Final = {
    1040: "sql.connect",
    1205: "sql.conflict",
    1213: "sql.conflict",
    2006: "sql.connection",
    2013: "sql.connection",
    3024: "sql.timeout",
}
"""Error number of MySQL and MariaDB → code."""

_CLASSES: Final = {
    "IntegrityError": "sql.integrity",
    "DataError": "sql.data",
    "ProgrammingError": "sql.statement",
    "NotSupportedError": "sql.statement",
    "InterfaceError": "sql.parameters",
    "ArgumentError": "sql.transaction",
}
"""Exception → code, where nothing more exact is known. Those of PEP 249, and SQLAlchemy's for a level
of isolation that the database does not have."""


@contextmanager
def told(shown: str, *, connecting: bool = False, values: Iterable[Payload] = ()) -> Iterator[None]:
    """Inside, whatever the database raises becomes a NodeError that names the database.

    values: the parameters, which no message repeats. The cause is not kept: it holds them.
    """
    try:
        yield
    except NodeError:
        raise
    except Exception as error:
        raise _failure(error, shown, connecting, values) from None


def refused_by_asyncpg(error: Exception) -> bool:
    """Whether the driver did not even send a value, because the server takes another type."""
    return _ARGUMENT.match(_words(getattr(error, "orig", None) or error)) is not None


def _failure(error: Exception, shown: str, connecting: bool, values: Iterable[Payload]) -> NodeError:
    original = getattr(error, "orig", None) or error
    lost = bool(getattr(error, "connection_invalidated", False))
    code = _code(original, connecting=connecting, lost=lost)
    details: dict[str, Payload] = {}
    state = _state(original)
    if state:
        details["sqlstate"] = state
    constraint = _constraint(original)
    if constraint:
        details["constraint"] = constraint
    message = f"{shown}: {_masked(_words(original), values)}"
    return NodeError(message, code=code, details=details or None, remedy=_REMEDIES.get(code, ""))


def _code(error: Any, *, connecting: bool, lost: bool) -> str:
    if _ARGUMENT.match(_words(error)):
        return "sql.parameters"
    state = _state(error)
    known = _STATES.get(state) or _STATES.get(state[:2]) if state else None
    if known is None and isinstance(getattr(error, "sqlite_errorcode", None), int):
        known = _SQLITE.get(error.sqlite_errorcode & 0xFF)
    if known is None and error.args and isinstance(error.args[0], int):
        known = _MYSQL.get(error.args[0])
    if connecting:
        return known if known in ("sql.timeout", "sql.conflict") else "sql.connect"
    if lost:
        return "sql.connection"
    if isinstance(error, OSError):
        return "sql.connection"
    if known is not None:
        return known
    if isinstance(error, OverflowError | UnicodeError | TypeError | ValueError):
        return "sql.parameters"
    names = [kind.__name__ for kind in type(error).__mro__]
    return next((_CLASSES[name] for name in names if name in _CLASSES), "sql.error")


def _state(error: Any) -> str:
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return state if isinstance(state, str) else ""


def _constraint(error: Any) -> str:
    for holder in (error, error.__cause__, getattr(error, "diag", None)):
        name = getattr(holder, "constraint_name", None)
        if isinstance(name, str):
            return name
    return ""


def _words(error: Any) -> str:
    """What the database says, without the details that repeat values."""
    if isinstance(error, UnicodeError):  # its arguments are the text itself
        return "a text has characters that the database does not take"
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    # SQLAlchemy's own error for asyncpg's may repeat the details of that.
    cause = error.__cause__ if hasattr(error.__cause__, "sqlstate") else error
    texts = [item for item in cause.args if isinstance(item, str)]
    said = primary or (texts[0] if texts else str(error))
    return said.strip() or type(error).__name__


def _masked(message: str, values: Iterable[Payload]) -> str:
    argument = _ARGUMENT.match(message)
    if argument is not None:
        return f"parameter {argument[1]} is not of the type that the statement takes"
    for text in sorted(set(_texts(values)), key=len, reverse=True):
        if len(text) >= _SHORTEST:
            message = message.replace(text, _MASK)
        else:
            message = re.sub(rf"(?<=[\"'`]){re.escape(text)}(?=[\"'`])", _MASK, message)
    return message


def _texts(values: Iterable[Payload]) -> Iterator[str]:
    for value in values:
        if isinstance(value, dict):
            yield from _texts(value.values())
        elif isinstance(value, list):
            yield from _texts(value)
        elif value is not None and not isinstance(value, bool):
            text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
            if text:
                yield text
