"""Parameters: what a payload brings, dealt out to the placeholders of statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from penstock.core.errors import NodeError
from penstock.core.payload import Error, Payload, to_json
from penstock.core.problems import nearest
from penstock.kinds.sql.statement import Key, Statement, Values


def deal(statements: Sequence[Statement], payload: Payload, given: Values) -> list[list[Values]]:
    """For each statement, the sets of parameters that it is executed with, one after the other.

    given: parameters by name that are there whatever the payload is. A statement without
    placeholders is executed once. Raises NodeError `sql.parameters`, which shows no value.
    """
    places = sum(statement.places for statement in statements)
    names = list(dict.fromkeys(name for statement in statements for name in statement.names))
    if places and names:
        raise _unfit(
            "some statements have `?` and some have `:name`", "use the same placeholders in all of them"
        )
    wanted = [name for name in names if name not in given]
    if not places and not wanted:
        return [[share] for share in _shares(statements, given)]
    batch = _is_batch(payload)
    dealt: list[list[Values]] = [[] if each.takes_parameters else [{}] for each in statements]
    for number, row in enumerate(payload if batch else [payload]):
        where = f"row {number}: " if batch else ""
        values: Values
        if places:
            values = dict(enumerate(_positional(row, places, where)))
        else:
            values = {**_named(row, wanted, where), **given}
        for sets, share in zip(dealt, _shares(statements, values), strict=True):
            if share:
                sets.append(share)
    return dealt


def adapted(value: Payload, dialect: str) -> Payload:
    """A payload as drivers take it: what they have no word for goes as JSON text."""
    if isinstance(value, dict | Error):
        return to_json(value).decode()
    if isinstance(value, list):
        if dialect == "postgresql":  # an array
            return [adapted(item, dialect) for item in value]
        return to_json(value).decode()
    return value


def _is_batch(payload: Payload) -> bool:
    """Whether a payload is a list of rows, none of them at worst, and not a row itself."""
    return isinstance(payload, list) and (
        all(isinstance(item, list) for item in payload)
        or all(isinstance(item, dict) for item in payload)
    )


def _shares(statements: Sequence[Statement], values: Values) -> Iterator[Values]:
    """The values of each statement; those by place are dealt out in order."""
    used = 0
    for statement in statements:
        keys: dict[Key, Key] = {name: name for name in statement.names}
        keys |= {place: used + place for place in range(statement.places)}
        used += statement.places
        yield {own: values[key] for own, key in keys.items()}


def _positional(row: Payload, wanted: int, where: str) -> list[Payload]:
    if isinstance(row, dict):
        raise _unfit(
            f"{where}the statement has `?`, but a mapping arrived",
            "write `:name` instead, or send a list",
        )
    found = [] if row is None else row if isinstance(row, list) else [row]
    if len(found) != wanted:
        raise _unfit(
            f"{where}the statement takes {_count(wanted)}, and {len(found)} arrived",
            "send a list with one item for each `?`",
        )
    return found


def _named(row: Payload, wanted: list[str], where: str) -> dict[Key, Payload]:
    if isinstance(row, list):
        raise _unfit(
            f"{where}the statement names its parameters, but a list arrived",
            "write `?` for each item instead, or send a mapping",
        )
    if row is None:
        row = {}
    if not isinstance(row, dict):
        if len(wanted) != 1:
            raise _unfit(
                f"{where}the statement takes {_count(len(wanted))}, and a single value arrived",
                f"send a mapping with {_listed(wanted)}",
            )
        row = {wanted[0]: row}
    missing = [name for name in wanted if name not in row]
    if missing:
        near = nearest(missing[0], row)
        raise _unfit(
            f"{where}no value for {_listed(missing)} arrived",
            f"did you mean `:{near}`?" if near else "send a mapping with these names",
        )
    return {name: row[name] for name in wanted}


def _count(number: int) -> str:
    return "1 parameter" if number == 1 else f"{number} parameters"


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _unfit(message: str, remedy: str) -> NodeError:
    return NodeError(message, code="sql.parameters", remedy=remedy)
