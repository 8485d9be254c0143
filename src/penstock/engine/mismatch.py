"""Why a value does not fit the type of its field, in the words of documents."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from penstock.core.problems import Path, nearest, suggest
from penstock.document.findings import clip, describe, quote

if TYPE_CHECKING:
    import msgspec
    from msgspec.inspect import Type

_WORDS: Final = {
    "array": "a list",
    "bool": "`true` or `false`",
    "bytes": "text in base64",
    "float": "a number",
    "int": "a whole number",
    "null": "nothing",
    "object": "a mapping",
    "str": "text",
}
"""msgspec's names of types → ours."""

_EXPECTED: Final = re.compile(r"Expected `([^`]+)`(.*?)(?:, got `?(\w+)`?)?", re.DOTALL)
_AT: Final = re.compile(r" - at (`key` in )?`(\$[^`]*)`$")
"""Where it is wrong, and whether it is a key there."""

_PART: Final = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
_MOST_OPTIONS: Final = 20


class Mismatch(NamedTuple):
    """What is wrong: where below the field, in which words, and what would be right.

    at_key: the last key of `path` is what is wrong, not its value.
    """

    path: Path
    message: str
    hint: str = ""
    at_key: bool = False


def explain(
    error: msgspec.ValidationError, value: Any, hint: Any, *, mask: Callable[[Any], Any]
) -> Mismatch:
    """What msgspec says about `value`, which it could not make a value of the hinted type.

    mask: takes the secrets out of what a message shows.
    """
    text = str(error)
    said = _AT.search(text)
    text, key, where = (text[: said.start()], *said.groups()) if said else (text, None, "$")
    path, found, exact = _locate(where, value)
    exact = exact and not key
    if text.startswith("Invalid enum value") and exact:
        return _not_allowed(path, mask(found), _types(hint, path))
    if unknown := re.fullmatch("Object contains unknown field `(.*)`", text, re.DOTALL):
        return _unknown(path, unknown[1], set(_fields(_types(hint, path))) - set(found), exact=exact)
    if missing := re.fullmatch("Object missing required field `(.*)`", text, re.DOTALL):
        return Mismatch(path, f"`{missing[1]}` is missing", f"add `{missing[1]}: …`")
    described = describe(mask(found)) if exact else ""
    if expected := _EXPECTED.fullmatch(text):
        types, limit, got = expected.groups()
        what = f"expected {_words(types)}{_limit(limit)}{' as a key' if key else ''}"
        return Mismatch(path, what + _but(got, described))
    if described and (invalid := re.fullmatch("Invalid (.*)", text)):
        return Mismatch(path, f"found {described}, which is no {invalid[1]}")
    return Mismatch(path, text)


def _unknown(path: Path, name: str, others: set[str], *, exact: bool) -> Mismatch:
    message = f"unknown field {quote(name)}"
    if not exact:
        return Mismatch(path, message)
    return Mismatch((*path, name), message, suggest(name, others), at_key=True)


def _not_allowed(path: Path, found: Any, types: Iterable[Type]) -> Mismatch:
    options = sorted(str(option) for option in _options(types))
    some = ", ".join(f"`{clip(option)}`" for option in options[:_MOST_OPTIONS])
    more = ", …" if len(options) > _MOST_OPTIONS else ""
    close = nearest(str(found), options)
    return Mismatch(
        path,
        f"expected {'one of ' if len(options) > 1 else ''}{some}{more}; found {describe(found)}",
        f"did you mean `{close}`?" if close else "",
    )


def _words(types: str) -> str:
    """msgspec's `int | float | null` as a person would say it."""
    names = types.split(" | ")
    if len(names) > 1:  # nothing need not be said, and a number may be a whole one
        names = [name for name in names if name != "null" and not (name == "int" and "float" in names)]
    *most, last = (_WORDS.get(name, f"`{name}`") for name in names)
    return f"{', '.join(most)} or {last}" if most else last


def _limit(text: str) -> str:
    """msgspec's ` >= 1` or ` of length <= 9` in words."""
    if " of length " not in text:
        text = re.sub(r"^ (?=[<>])", " of ", text)
    for sign, words in ((">=", "at least"), ("<=", "at most"), (">", "more than"), ("<", "less than")):
        text = text.replace(f" {sign} ", f" {words} ")
    return text.replace("that's", "that is")


def _but(got: str | None, described: str) -> str:
    """What was found instead, as exactly as it is known."""
    if got is not None and got.isdigit():
        return f", found one of length {got}"
    if described:
        return f", found {described}"
    return f", found {_WORDS.get(got, got)}" if got else ""


def _locate(where: str, value: Any) -> tuple[Path, Any, bool]:
    """The place that msgspec's `$.match[0].port` names, what stands there, and whether that is all.

    msgspec names no keys of mappings: at the first of them the place ends.
    """
    known, cut, _ = where.removeprefix("$").partition("[...]")
    path: Path = tuple(name or int(number) for name, number in _PART.findall(known))
    found = value
    try:
        for part in path:
            found = found[part]
    except (LookupError, TypeError):  # a text of the document that only looks like a place
        return (), value, False
    return path, found, not cut


def _types(hint: Any, path: Path) -> list[Type]:
    """What may stand at a path below a value of the hinted type."""
    from msgspec.inspect import type_info

    types = list(_alternatives(type_info(hint)))
    for part in path:
        types = [
            option for kind in types for below in _below(kind, part) for option in _alternatives(below)
        ]
    return types


def _alternatives(kind: Type) -> Iterator[Type]:
    from msgspec.inspect import Metadata, UnionType

    if isinstance(kind, Metadata):
        yield from _alternatives(kind.type)
    elif isinstance(kind, UnionType):
        yield from kind.types
    else:
        yield kind


def _below(kind: Any, part: str | int) -> Iterator[Type]:
    if isinstance(part, int):
        yield from getattr(kind, "item_types", ())[part : part + 1]
        if hasattr(kind, "item_type"):
            yield kind.item_type
    elif hasattr(kind, "value_type"):
        yield kind.value_type
    else:
        yield from (field.type for field in getattr(kind, "fields", ()) if field.encode_name == part)


def _fields(types: Iterable[Any]) -> Iterator[str]:
    return (field.encode_name for kind in types for field in getattr(kind, "fields", ()))


def _options(types: Iterable[Any]) -> Iterator[Any]:
    """The values that literals and enumerations among these types allow."""
    for kind in types:
        if hasattr(kind, "values"):
            yield from kind.values
        elif isinstance(getattr(kind, "cls", None), type) and issubclass(kind.cls, Enum):
            yield from (member.value for member in kind.cls)
