"""Questions: what a JSON Schema asks of a person, one for each control of a form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec

from penstock.core.problems import Path

Schema = Mapping[str, Any]

LONG_TEXT: Final = 200
"""A text that may be longer than this gets several lines."""

_DEPTH: Final = 6
"""How deep mappings may be nested; what lies deeper is asked for as JSON."""


class Control(StrEnum):
    """How something is asked for."""

    TEXT = "text"
    LONG = "long"
    SECRET = "secret"  # noqa: S105 - a word, and no secret
    EMAIL = "email"
    URL = "url"
    DATE = "date"
    TIME = "time"
    MOMENT = "moment"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    CHOICES = "choices"
    LINES = "lines"
    FILE = "file"
    FILES = "files"
    JSON = "json"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is asked for.

    path: where the answer stands in what is asked for altogether. label, help: for people.
    options: what to choose from. default: what is shown at first. limits: `minimum`,
    `maxLength` and the like, as in the schema. optional: it may be left empty.
    """

    path: Path
    control: Control
    label: str
    help: str = ""
    optional: bool = False
    options: tuple[Any, ...] = ()
    default: Any = None
    example: str = ""
    limits: Mapping[str, Any] = {}

    @property
    def name(self) -> str:
        """What the form calls it; the empty path is `value`."""
        return ".".join(map(str, self.path)) or "value"


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """Questions that belong together. label: empty for the whole form."""

    label: str = ""
    help: str = ""
    parts: tuple[Question | Section, ...] = ()

    def questions(self) -> Iterator[Question]:
        """All of them, in order, those of inner sections among them."""
        for part in self.parts:
            if isinstance(part, Section):
                yield from part.questions()
            else:
                yield part


def ask(schema: Schema) -> Section:
    """The questions of a schema. One that is no mapping asks for one thing, `value`."""
    found = _resolved(schema, schema)
    if _is_mapping(found):
        return _section(found, schema, (), label="")
    return Section(parts=(_question(found, schema, (), name="value", optional=False),))


def _section(found: Schema, root: Schema, path: Path, *, label: str) -> Section:
    required = found.get("required", ())
    parts: list[Question | Section] = []
    for name, about in found.get("properties", {}).items():
        inner, nullable = _optional(_resolved(about, root), root)
        if "const" in inner:
            continue
        own = (*path, name)
        if _is_mapping(inner) and len(own) < _DEPTH:
            parts.append(_section(inner, root, own, label=_label(inner, name)))
        else:
            optional = nullable or name not in required
            parts.append(_question(inner, root, own, name=name, optional=optional))
    return Section(label=label, help=found.get("description", "") if label else "", parts=tuple(parts))


def _question(found: Schema, root: Schema, path: Path, *, name: str, optional: bool) -> Question:
    control, options = _control(found, root)
    default = found.get("default")
    examples = found.get("examples") or ()
    return Question(
        path=path,
        control=control,
        label=_label(found, name),
        help=found.get("description", ""),
        optional=optional,
        options=options,
        default=default,
        example=str(examples[0]) if isinstance(examples, Sequence) and examples else "",
        limits={name: found[name] for name in _LIMITS if name in found},
    )


_LIMITS: Final = ("minimum", "maximum", "multipleOf", "minLength", "maxLength", "pattern")

_BY_FORMAT: Final = {
    "email": Control.EMAIL,
    "uri": Control.URL,
    "date": Control.DATE,
    "time": Control.TIME,
    "date-time": Control.MOMENT,
    "password": Control.SECRET,
    "file": Control.FILE,
    "textarea": Control.LONG,
    "multiline": Control.LONG,
}


def _control(found: Schema, root: Schema) -> tuple[Control, tuple[Any, ...]]:
    """How to ask for what a schema describes, and what there is to choose from."""
    options = _options(found)
    if options:
        return Control.CHOICE, options
    match found.get("type"):
        case "boolean":
            return Control.BOOLEAN, ()
        case "integer":
            return Control.INTEGER, ()
        case "number":
            return Control.NUMBER, ()
        case "string":
            long = found.get("maxLength", 0) > LONG_TEXT or "contentMediaType" in found
            usual = Control.LONG if long else Control.TEXT
            return _BY_FORMAT.get(str(found.get("format", "")), usual), ()
        case "array":
            return _of_many(_resolved(found.get("items") or {}, root))
    return Control.JSON, ()


def _of_many(items: Schema) -> tuple[Control, tuple[Any, ...]]:
    options = _options(items)
    if options:
        return Control.CHOICES, options
    if items.get("type") == "string":
        return (Control.FILES if items.get("format") == "file" else Control.LINES), ()
    return Control.JSON, ()


def _options(found: Schema) -> tuple[Any, ...]:
    """The values of an enumeration, if it is one."""
    if isinstance(found.get("enum"), list):
        return tuple(found["enum"])
    branches = found.get("oneOf") or found.get("anyOf") or ()
    constants = [
        branch["const"] for branch in branches if isinstance(branch, dict) and "const" in branch
    ]
    return tuple(constants) if constants and len(constants) == len(branches) else ()


def _optional(found: Schema, root: Schema) -> tuple[Schema, bool]:
    """What a schema describes besides null, and whether it may be null."""
    kind = found.get("type")
    if isinstance(kind, list) and "null" in kind:
        rest = [one for one in kind if one != "null"]
        return {**found, "type": rest[0] if len(rest) == 1 else rest}, True
    for word in ("anyOf", "oneOf"):
        branches = found.get(word)
        if isinstance(branches, list):
            others = [one for one in branches if one.get("type") != "null"]
            if len(others) == 1 and len(branches) > 1:
                outer = {name: value for name, value in found.items() if name != word}
                return {**_resolved(others[0], root), **outer}, True
    return found, False


def _resolved(found: Schema, root: Schema) -> Schema:
    """The schema that a reference inside of the document leads to; what it says itself wins."""
    for _ in range(_DEPTH):
        target = found.get("$ref")
        if not isinstance(target, str) or not target.startswith("#/"):
            break
        part: Any = root
        for step in target[2:].split("/"):
            part = part.get(step.replace("~1", "/").replace("~0", "~"), {})
        found = {**part, **{name: value for name, value in found.items() if name != "$ref"}}
    return found


def _is_mapping(found: Schema) -> bool:
    """Whether it is a mapping of which it is known what is in it, if only that it is empty."""
    return found.get("type", "object") == "object" and "properties" in found


def _label(found: Schema, name: str) -> str:
    title = found.get("title")
    return str(title) if title else name.replace("_", " ").replace("-", " ").capitalize()
