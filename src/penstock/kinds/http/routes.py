"""Routes: which of several paths and methods a request means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Generic, NamedTuple, TypeVar
from urllib.parse import unquote

T = TypeVar("T")

ANY: Final = "*"
"""Stands for every method."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class Pattern(NamedTuple):
    """The path of a route: its segments, decoded, where None stands for a parameter.

    names: of the parameters, in order, and of the rest when `open`: a path that ends in
    `*name` is open, and fits whatever goes on from there.
    """

    segments: tuple[str | None, ...]
    names: tuple[str, ...] = ()
    open: bool = False

    @classmethod
    def parse(cls, path: str) -> Pattern:
        """Read `/users/:id/files/*rest`. Raises ValueError that says what is wrong."""
        if path == "*":
            path = "/*"
        if not path.startswith("/"):
            raise ValueError(f"a path begins with `/`; write `/{path}`")
        if "?" in path or "#" in path:
            raise ValueError("a path ends before `?` and `#`; the graph finds the query in `query`")
        segments: list[str | None] = []
        names: list[str] = []
        parts = split(path)
        for number, part in enumerate(parts, 1):
            if part.startswith("*"):
                if number < len(parts):
                    raise ValueError(f"`{part}` takes the rest of the path, so nothing may follow it")
                names.append(_name(part, default="*"))
                return cls(tuple(segments), _distinct(names), open=True)
            if part.startswith(":"):
                names.append(_name(part))
                segments.append(None)
            else:
                segments.append(decoded(part))
        return cls(tuple(segments), _distinct(names))


class Match(NamedTuple, Generic[T]):
    """What a request means, and the texts of the parameters in its path."""

    target: T
    params: dict[str, str]


class Routes(Generic[T]):
    """Routes by path and method. The most specific one fits, in whatever order they were added.

    From left to right, a segment that is written out goes before a parameter, and a parameter
    before `*`. Of the routes with the same path, one that names the method goes before one for
    all. A slash at the end of a path makes no difference.
    """

    def __init__(self) -> None:
        self._fixed: dict[str, dict[str, Match[T]]] = {}
        """Routes without parameters, by their whole path: most requests end here."""
        self._root: _Branch[T] = _Branch()

    def add(self, path: str, methods: Sequence[str], target: T) -> None:
        """Add a route. Raises ValueError for a bad path, or one that is there already."""
        pattern = Pattern.parse(path)
        branch = self._root
        for segment in pattern.segments:
            branch = branch.grow(segment)
        entries = branch.rest if pattern.open else branch.here
        taken = sorted(set(methods) & entries.keys())
        if taken:
            raise ValueError(f"there is a route for {', '.join(taken)} `{path}` already")
        entries.update(dict.fromkeys(methods, (target, pattern.names)))
        if not pattern.names and not any("/" in (segment or "") for segment in pattern.segments):
            fixed = self._fixed.setdefault("/" + "/".join(map(str, pattern.segments)), {})
            fixed.update({method: Match(target, {}) for method in methods})

    def find(self, method: str, path: str) -> Match[T] | None:
        """What fits a request. Raises ValueError for a path that is not UTF-8.

        path: as it was sent, with its percent-encoding. It is decoded after it has been split,
        so that an encoded slash belongs to its segment.
        """
        fixed = self._fixed.get(path)
        if fixed is not None and "%" not in path:
            match = fixed.get(method)
            if match is not None:
                return match
        if not path.startswith("/"):
            return None
        return _walk(self._root, [decoded(part) for part in split(path)], 0, (), method)

    def methods(self, path: str) -> set[str]:
        """The methods that some route would take for a path; `*` asks about all paths."""
        if path == ANY:
            return _answered(self._root.all_methods())
        if not path.startswith("/"):
            return set()
        return _answered(_methods(self._root, [decoded(part) for part in split(path)], 0))


class _Branch(Generic[T]):
    """The routes that begin alike.

    here: those that end here, by method: what they mean, and the names of their parameters.
    rest: those that take whatever goes on from here.
    """

    __slots__ = ("fixed", "here", "parameter", "rest")

    def __init__(self) -> None:
        self.fixed: dict[str, _Branch[T]] = {}
        self.parameter: _Branch[T] | None = None
        self.here: dict[str, tuple[T, tuple[str, ...]]] = {}
        self.rest: dict[str, tuple[T, tuple[str, ...]]] = {}

    def grow(self, segment: str | None) -> _Branch[T]:
        if segment is not None:
            return self.fixed.setdefault(segment, _Branch())
        if self.parameter is None:
            self.parameter = _Branch()
        return self.parameter

    def all_methods(self) -> set[str]:
        children = [*self.fixed.values(), *([self.parameter] if self.parameter else [])]
        return set(self.here).union(self.rest, *(child.all_methods() for child in children))


def split(path: str) -> list[str]:
    """The segments of a path; a slash at its end makes none."""
    trimmed = path[1:-1] if len(path) > 1 and path.endswith("/") else path[1:]
    return trimmed.split("/") if trimmed or len(path) > 1 else []


def decoded(segment: str) -> str:
    """A segment without its percent-encoding. Raises ValueError when it is not UTF-8."""
    if "%" not in segment:
        return segment
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError as error:
        raise ValueError("the path is not UTF-8") from error


def _walk(
    branch: _Branch[T], segments: list[str], depth: int, values: tuple[str, ...], method: str
) -> Match[T] | None:
    """The first route that fits from here on. No branch is entered twice, so this cannot take long."""
    if depth == len(segments):
        found = _for_method(branch.here, method)
        if found is not None:
            return Match(found[0], dict(zip(found[1], values, strict=True)))
    else:
        child = branch.fixed.get(segments[depth])
        match = child and _walk(child, segments, depth + 1, values, method)
        if match:
            return match
        if branch.parameter is not None and segments[depth]:
            more = (*values, segments[depth])
            match = _walk(branch.parameter, segments, depth + 1, more, method)
            if match:
                return match
    found = _for_method(branch.rest, method)
    if found is None:
        return None
    rest = "/".join(segments[depth:])
    return Match(found[0], dict(zip(found[1], (*values, rest), strict=True)))


def _for_method(
    entries: dict[str, tuple[T, tuple[str, ...]]], method: str
) -> tuple[T, tuple[str, ...]] | None:
    found = entries.get(method)
    if found is None and method == "HEAD":
        found = entries.get("GET")
    return entries.get(ANY) if found is None else found


def _methods(branch: _Branch[T], segments: list[str], depth: int) -> set[str]:
    found = set(branch.rest)
    if depth == len(segments):
        return found | set(branch.here)
    child = branch.fixed.get(segments[depth])
    if child is not None:
        found |= _methods(child, segments, depth + 1)
    if branch.parameter is not None and segments[depth]:
        found |= _methods(branch.parameter, segments, depth + 1)
    return found


def _answered(methods: set[str]) -> set[str]:
    """With those that are answered without a route of their own."""
    if "GET" in methods:
        methods = methods | {"HEAD"}
    return methods | {"OPTIONS"} if methods else methods


def _name(part: str, default: str = "") -> str:
    name = part[1:] or default
    if name != default and not _NAME.fullmatch(name):
        raise ValueError(
            f"`{part}` has no usable name: letters, digits, _ and -, beginning with a letter or _"
        )
    if not name:
        raise ValueError("`:` needs a name, as in `:id`")
    return name


def _distinct(names: list[str]) -> tuple[str, ...]:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two parameters are called `{twice}`")
    return tuple(names)
