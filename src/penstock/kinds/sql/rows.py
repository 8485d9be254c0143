"""Rows: what a database answers, as payloads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from penstock.core.errors import NodeError, PayloadError
from penstock.core.payload import SCALARS, Payload, normalise

Mode = Literal["auto", "rows", "row", "value", "column", "count"]


class Answer:
    """What one statement answered.

    columns: their names, or None when it returns no rows. count: how many rows were written,
    or came back.
    """

    __slots__ = ("columns", "count", "rows")

    def __init__(
        self,
        *,
        count: int = 0,
        columns: list[str] | None = None,
        rows: list[list[Payload]] | None = None,
    ) -> None:
        self.count = count
        self.columns = columns
        self.rows = rows or []

    def payload(self, mode: Mode) -> Payload:
        """The answer in the form that a mode asks for. Raises NodeError `sql.rows`."""
        if mode == "count" or (mode == "auto" and self.columns is None):
            return self.count
        if self.columns is None:
            raise _refused(f"`mode: {mode}`, but the statement returns no rows", "set `mode: count`")
        if mode in ("value", "column") and len(self.columns) != 1:
            raise _refused(
                f"`mode: {mode}` takes one column, and {len(self.columns)} came",
                "select one column, or set `mode: rows`",
            )
        if mode == "column":
            return [row[0] for row in self.rows]
        if mode in ("auto", "rows"):
            return [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        if len(self.rows) > 1:
            raise _refused(
                f"`mode: {mode}` takes one row, and several came", "add LIMIT 1, or set `mode: rows`"
            )
        if not self.rows:
            return None
        return self.rows[0][0] if mode == "value" else dict(zip(self.columns, self.rows[0], strict=True))


def too_many(limit: int) -> NodeError:
    """More rows came than the node is willing to take."""
    return NodeError(
        f"the statement returns more than {limit:,} rows",
        code="sql.rows",
        details={"max_rows": limit},
        remedy="add a LIMIT and read page by page, or raise `max_rows`",
    )


def distinct(names: Iterable[str]) -> list[str]:
    """The names of columns; the second `id` is `id_2`, so that nothing of a row is lost."""
    wanted = list(names)
    found: list[str] = []
    for name in wanted:
        unique, number = name, 2
        while unique in found or (unique != name and unique in wanted):
            unique, number = f"{name}_{number}", number + 1
        found.append(unique)
    return found


def row_of(values: Sequence[Any]) -> list[Payload]:
    """A row as payloads."""
    return [value if type(value) in SCALARS else _payload(value) for value in values]


def _payload(value: Any) -> Payload:
    """A value of a column as a payload; what no rule knows as its text."""
    if isinstance(value, memoryview | bytearray):
        return bytes(value)
    if isinstance(value, Mapping):
        return {str(key): _payload(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_payload(item) for item in value]
    if hasattr(value, "lower_inc"):
        return _range(value)
    if hasattr(value, "as_string"):  # bits
        return str(value.as_string()).replace(" ", "")
    try:
        return normalise(value)
    except PayloadError:
        return str(value)


def _range(value: Any) -> str:
    """A range of PostgreSQL as it writes them itself: `[1,3)`."""
    if value.isempty:
        return "empty"
    lower, upper = ("" if end is None else _payload(end) for end in (value.lower, value.upper))
    return f"{'[' if value.lower_inc else '('}{lower},{upper}{']' if value.upper_inc else ')'}"


def _refused(message: str, remedy: str) -> NodeError:
    return NodeError(message, code="sql.rows", remedy=remedy)
