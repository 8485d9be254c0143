"""A mapping of a document, read field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from penstock.core.duration import Duration
from penstock.core.problems import suggest
from penstock.core.spec import ID, NAME
from penstock.document.findings import describe, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from enum import StrEnum

    from penstock.core.problems import Path
    from penstock.document.findings import Findings

    Choice = TypeVar("Choice", bound=StrEnum)

NAME_HINT: Final = "a name holds letters, digits, `_` and `-`, and at most 200 of them"
ID_HINT: Final = "an id is one line of at most 200 characters"

_QUOTES = "put it in quotes"
_DURATIONS = "write 500ms, 30s, 5m, 2h, 3d, 1h30m or PT5M"


class Fields:
    """The fields of the mapping at `path`; a field that is empty counts as not given.

    Each method reads one field and reports what is wrong with it. `close` reports the
    fields that nobody asked for.
    """

    def __init__(self, data: dict[str, Any], path: Path, findings: Findings) -> None:
        self.data = data
        self.path = path
        self.findings = findings
        self.asked: dict[str, None] = {}

    @classmethod
    def of(cls, value: Any, path: Path, findings: Findings, what: str = "a mapping") -> Fields:
        """The fields of `value`; of an empty mapping, after a report, if it is none."""
        if isinstance(value, dict):
            return cls(value, path, findings)
        if value is not None:
            findings.expected(what, value, path)
        return cls({}, path, findings)

    def at(self, name: str) -> Path:
        """Where the field of this name stands."""
        return (*self.path, name)

    def take(self, name: str) -> Any:
        """The field as it is, or None."""
        self.asked[name] = None
        return self.data.get(name)

    def first(self, *names: str) -> tuple[str, Any]:
        """The first of these spellings that is given, and its value; else the first and None."""
        given = [name for name in names if self.data.get(name) is not None]
        name = given[0] if given else names[0]
        for other in names:
            if other not in given[1:]:
                self.asked[other] = None
        return name, self.data.get(name)

    def report(self, name: str, message: str, *, hint: str = "", at_key: bool = False) -> None:
        """Report a problem of one field."""
        self.findings.report(message, self.at(name), hint=hint, at_key=at_key)

    def lacks(self, *names: str) -> bool:
        """Whether none of these fields says anything, right or wrong."""
        return all(self.data.get(name) in (None, "") for name in names)

    def missing(self, name: str, *, hint: str = "") -> None:
        """Report that a field is not there, at the mapping that should have it."""
        self.findings.report(f"`{name}` is missing", self.path, hint=hint, about=self.at(name))

    def text(self, *names: str) -> str:
        """The text of a field, or an empty one."""
        name, value = self.first(*names)
        if value is None or isinstance(value, str):
            return value or ""
        self.findings.expected("text", value, self.at(name), hint=_hint_for(value))
        return ""

    def name(self, *names: str) -> str:
        """The text of a field that names something."""
        field, _ = self.first(*names)
        text = self.text(field)
        if text and not NAME.fullmatch(text):
            self.report(field, f"{quote(text)} is not a name", hint=NAME_HINT)
        return text

    def ident(self, name: str) -> str:
        """The text of a field that is the id of something."""
        text = self.text(name)
        if text and not ID.fullmatch(text):
            self.report(name, f"{quote(text)} is not an id", hint=ID_HINT)
        return text

    def number(self, *names: str, least: float, most: float | None = None) -> float | None:
        """The number in a field, within its bounds, or None."""
        return self._number(names, "a number", (int, float), least, most)

    def whole(self, *names: str, least: int, most: int | None = None) -> int | None:
        """The whole number in a field, within its bounds, or None."""
        value = self._number(names, "a whole number", (int,), least, most)
        return None if value is None else int(value)

    def _number(
        self,
        names: tuple[str, ...],
        what: str,
        kinds: tuple[type, ...],
        least: float,
        most: float | None,
    ) -> float | None:
        name, value = self.first(*names)
        if value is None:
            return None
        allowed = isinstance(value, kinds) and not isinstance(value, bool)
        if allowed and least <= value and (most is None or value <= most):
            number: float = value
            return number
        bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
        self.findings.expected(f"{what} {bounds}", value, self.at(name))
        return None

    def duration(self, name: str) -> Duration | None:
        """The length of time in a field, or None."""
        return self.convert(name, self.take(name), 1.0)

    def convert(self, name: str, value: Any, seconds: float) -> Duration | None:
        """The length of time that `value` gives; `seconds` is the unit of a bare number."""
        if value is None:
            return None
        try:
            bare = isinstance(value, int | float) and not isinstance(value, bool)
            return Duration.parse(value * seconds if bare else value)
        except ValueError:
            self.findings.expected("a duration", value, self.at(name), hint=_DURATIONS)
            return None

    def flag(self, name: str, *, default: bool) -> bool:
        """The `true` or `false` in a field."""
        value = self.take(name)
        if isinstance(value, bool):
            return value
        if value is not None:
            self.findings.expected("`true` or `false`", value, self.at(name))
        return default

    def choice(self, name: str, kind: type[Choice]) -> Choice | None:
        """The member of an enumeration that a field names, or None."""
        value = self.take(name)
        if value is None:
            return None
        if isinstance(value, str) and value in list(kind):
            return kind(value)
        allowed = [str(member) for member in kind]
        self.report(
            name, f"found {describe(value)}, which is not allowed", hint=suggest(str(value), allowed)
        )
        return None

    def below(self, name: str) -> Fields:
        """The fields of the mapping in a field, empty if there is none."""
        return Fields.of(self.take(name), self.at(name), self.findings)

    def items(self, name: str) -> Iterator[tuple[int, Any]]:
        """The entries of the list in a field, with their indexes."""
        value = self.take(name)
        if isinstance(value, list):
            yield from enumerate(value)
        elif value is not None:
            self.findings.expected("a list", value, self.at(name))

    def texts(self, name: str) -> tuple[str, ...]:
        """The list of texts in a field; a single text stands for a list of one."""
        value = self.take(name)
        if isinstance(value, str):
            return (value,)
        found: list[str] = []
        for index, entry in self.items(name):
            if isinstance(entry, str):
                found.append(entry)
            else:
                self.findings.expected("text", entry, (*self.at(name), index), hint=_hint_for(entry))
        return tuple(found)

    def mapping_of(self, name: str, read: Callable[[Fields, str], Any]) -> dict[str, Any]:
        """Every entry of the mapping in a field, each through `read`."""
        fields = self.below(name)
        return {key: read(fields, key) for key in fields.data}

    def rest(self) -> dict[str, Any]:
        """The fields that nobody asked for."""
        return {name: value for name, value in self.data.items() if name not in self.asked}

    def close(self, *, hints: dict[str, str] | None = None) -> None:
        """Report every field that nobody asked for; `hints` knows the common mistakes."""
        for name in self.rest():
            if self.findings.enough:
                hint = ""
            elif name in (hints or {}):
                hint = (hints or {})[name]
            else:
                hint = suggest(name, (asked for asked in self.asked if asked not in self.data))
            self.report(name, f"unknown field {quote(name)}", hint=hint, at_key=True)


def _hint_for(value: Any) -> str:
    return _QUOTES if isinstance(value, int | float) else ""
