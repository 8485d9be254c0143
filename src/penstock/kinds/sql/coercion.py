"""Coercion for asyncpg, which wants each parameter as the very Python type of its column.

Payloads have no dates, and what came over HTTP is text; other drivers leave it to the
database to read such texts. So what a statement takes is asked of the server, once for
each statement, and the payloads are brought into that shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from penstock.core.duration import Duration
from penstock.core.errors import NodeError
from penstock.core.payload import Payload, to_json

_YES: Final = frozenset({"t", "true", "y", "yes", "on", "1"})
_NO: Final = frozenset({"f", "false", "n", "no", "off", "0"})


def coerced(values: Sequence[Payload], types: Sequence[str]) -> tuple[Any, ...]:
    """The values as asyncpg takes them for parameters of these types: `int4`, `text[]`.

    Raises NodeError `sql.parameters`, which names the place and the type, and shows no value.
    """
    found = []
    for number, (value, kind) in enumerate(zip(values, types, strict=True), 1):
        try:
            found.append(_coerced(value, kind))
        except (ValueError, ArithmeticError):
            raise NodeError(
                f"parameter {number} cannot be read as `{kind}`",
                code="sql.parameters",
                remedy="send a value that fits, or write CAST(CAST(… AS text) AS …) around it",
            ) from None
    return tuple(found)


def _coerced(value: Payload, kind: str) -> Any:
    if value is None:
        return None
    if kind.endswith("[]") and isinstance(value, list):
        return [_coerced(item, kind if isinstance(item, list) else kind[:-2]) for item in value]
    convert = _CONVERSIONS.get(kind)
    return value if convert is None else convert(value)


def _integer(value: Payload) -> Any:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError("a fraction")
    return int(value) if isinstance(value, str | float) else value


def _float(value: Payload) -> Any:
    return float(value) if isinstance(value, str) else value


def _decimal(value: Payload) -> Any:
    return Decimal(str(value)) if isinstance(value, str | float) else value


def _boolean(value: Payload) -> Any:
    word = str(value).strip().lower() if isinstance(value, str | int) else ""
    if word in _YES:
        return True
    if word in _NO:
        return False
    return value


def _text(value: Payload) -> Any:
    if isinstance(value, str | bytes):
        return value
    return to_json(value).decode()


def _bytes(value: Payload) -> Any:
    return value.encode() if isinstance(value, str) else value


def _instant(value: Payload) -> Any:
    """A point in time; without an offset it is UTC."""
    if not isinstance(value, str):
        return value
    found = datetime.fromisoformat(value.strip())
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _local_time(value: Payload) -> Any:
    """A date and time without a zone: PostgreSQL pays no heed to an offset here, either."""
    if not isinstance(value, str):
        return value
    return datetime.fromisoformat(value.strip()).replace(tzinfo=None)


def _date(value: Payload) -> Any:
    if not isinstance(value, str):
        return value
    text = value.strip()
    return datetime.fromisoformat(text).date() if len(text) > 10 else date.fromisoformat(text)


def _time(value: Payload) -> Any:
    return time.fromisoformat(value.strip()) if isinstance(value, str) else value


def _interval(value: Payload) -> Any:
    if not isinstance(value, str | int | float):
        return value
    return timedelta(seconds=Duration.parse(value).total_seconds())


_CONVERSIONS: Final[dict[str, Callable[[Payload], Any]]] = {
    "int2": _integer,
    "int4": _integer,
    "int8": _integer,
    "oid": _integer,
    "float4": _float,
    "float8": _float,
    "numeric": _decimal,
    "bool": _boolean,
    "text": _text,
    "varchar": _text,
    "bpchar": _text,
    "name": _text,
    "json": _text,
    "jsonb": _text,
    "bytea": _bytes,
    "timestamptz": _instant,
    "timestamp": _local_time,
    "date": _date,
    "time": _time,
    "timetz": _time,
    "interval": _interval,
}
