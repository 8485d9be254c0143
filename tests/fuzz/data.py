"""Changes of a document as data: what parses well, and means something odd."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from tests.fuzz.text import CODE, TEXTS

from penstock.kinds import KINDS

if TYPE_CHECKING:
    from random import Random

Holder = tuple[Any, Any]
"""A list or mapping, and the index or key of something in it."""

KIND_NAMES: Final = sorted(KINDS)
NAMES: Final = ("a", "b", "log", "api", "router", "end", "tell", "out", "x-1", "net")
ODD: Final = (
    None, True, False, 0, -1, 3, 1.5, 1e308, 2**53 + 1, 2**63, 2**64, 10**99, float("nan"),
    float("inf"), [], {}, [[]], [None], {"": ""}, {"a": {"a": {}}}, "", b"\xff", "\ud800", "\x00",
    (1, 2), {1: 2}, {None: [1]},
)  # fmt: skip
PORTS: Final = (
    "out", "in", "error", "init", "term", "out[0]", "out[1]", "out[9]", "done", "nowhere", "", "in[0]",
)  # fmt: skip
FIELDS: Final = (
    "id", "name", "namespace", "revision", "kind", "env", "links", "ports", "annotations", "retry",
    "timeout", "join", "flow", "nodes", "specs", "inbounds", "outbounds", "triggers", "inputs",
    "outputs", "settings", "code", "language", "match", "routes", "port", "schedule", "every",
    "message", "data",
    "pattern", "$ref", "minimum", "properties", "required", "default",
)  # fmt: skip
REVISIONS: Final = (0, 1, 2, -1, 2**64, "1")
NAMESPACES: Final = ("default", "other", "", "no name", None)


def changed(chance: Random, document: Any, others: Sequence[Any]) -> Any:
    """A copy of the document with a few changes. others: documents to take pieces from."""
    root = [copy.deepcopy(document)]
    for _ in range(chance.choice((1, 1, 2, 3, 5))):
        chance.choice(CHANGES)(chance, root, others)
    return root[0]


def places(value: Any) -> Iterator[Holder]:
    """Everything inside of a list or mapping, at any depth."""
    stack = [value]
    while stack:
        holder = stack.pop()
        keys = holder if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            yield holder, key
            if isinstance(holder[key], dict | list):
                stack.append(holder[key])


def _somewhere(chance: Random, root: list[Any]) -> Holder:
    return chance.choice(list(places(root)))


def _odd(chance: Random, root: list[Any], _: Sequence[Any]) -> None:
    """A value that is of another type, or the largest of its own."""
    holder, key = _somewhere(chance, root)
    holder[key] = copy.deepcopy(chance.choice(ODD))


def _text(chance: Random, root: list[Any], _: Sequence[Any]) -> None:
    """A value that is some text, or code."""
    holder, key = _somewhere(chance, root)
    holder[key] = chance.choice(chance.choice((TEXTS, CODE, NAMES)))


def _without(chance: Random, root: list[Any], _: Sequence[Any]) -> None:
    holder, key = _somewhere(chance, root)
    if holder is not root:
        del holder[key]


def _piece(chance: Random, root: list[Any], others: Sequence[Any]) -> None:
    """A piece of another document, wherever it may fit."""
    holder, key = _somewhere(chance, root)
    donor, where = _somewhere(chance, [chance.choice(others)])
    holder[key] = copy.deepcopy(donor[where])


def _twice(chance: Random, root: list[Any], _: Sequence[Any]) -> None:
    """Something said twice, or in another place of its list."""
    holder, key = _somewhere(chance, root)
    if isinstance(holder, list):
        holder.insert(chance.randint(0, len(holder)), copy.deepcopy(holder[key]))


def _renamed(chance: Random, root: list[Any], _: Sequence[Any]) -> None:
    """A value under the name of another field as well."""
    holder, key = _somewhere(chance, root)
    if isinstance(holder, dict):
        holder[chance.choice(FIELDS)] = copy.deepcopy(holder[key])


def _kind(chance: Random, root: list[Any], _: Sequence[Any]) -> None:
    for spec in _spec(chance, root):
        spec["kind"] = chance.choice(KIND_NAMES)


def _links(chance: Random, root: list[Any], _: Sequence[Any]) -> None:
    """Links to anywhere, in circles, by ports that are not there."""
    for spec in _spec(chance, root):
        ports = (chance.choice(PORTS) for _ in range(chance.randint(1, 3)))
        spec["links"] = {port: _targets(chance, root) for port in ports}


def _identity(chance: Random, root: list[Any], _: Sequence[Any]) -> None:
    """Who a spec is, whose, and at which revision."""
    for spec in _spec(chance, root):
        spec[chance.choice(("id", "name"))] = chance.choice((*NAMES, *_names(root), *TEXTS))
        if chance.random() < 0.3:
            spec["namespace"] = chance.choice(NAMESPACES)
        if chance.random() < 0.3:
            spec["revision"] = chance.choice(REVISIONS)


def _variables(chance: Random, root: list[Any], _: Sequence[Any]) -> None:
    """Where the variables of a spec come from."""
    for spec in _spec(chance, root):
        source = {
            chance.choice(("name", "id", "data")): chance.choice((*NAMES, *CODE)),
            "data": chance.choice((*CODE, None, 1, {})),
        }
        spec["env"] = {chance.choice(("A", "PORT", "a b", "")): source}


def _spec(chance: Random, root: list[Any]) -> list[dict[str, Any]]:
    """One of the specs in it, at any depth, if there is one."""
    words = {"kind", "flow", "node_type", "data"}
    inside = (holder[key] for holder, key in places(root))
    found = [each for each in inside if isinstance(each, dict) and each.keys() & words]
    return [chance.choice(found)] if found else []


def _names(root: list[Any]) -> list[str]:
    inside = ((key, holder[key]) for holder, key in places(root))
    return [value for key, value in inside if key in ("name", "id") and isinstance(value, str)] or ["a"]


def _targets(chance: Random, root: list[Any]) -> Any:
    name, port = chance.choice((*_names(root), *NAMES)), chance.choice(PORTS)
    shapes: tuple[Any, ...] = (
        name, f"{name}.{port}", {"name": name, "port": port}, {"id": name}, [name, {"name": name}], [],
        None, [[name]], {"name": name, "id": name}, 5,
    )  # fmt: skip
    return chance.choice(shapes)


CHANGES: Final[tuple[Callable[[Random, list[Any], Sequence[Any]], None], ...]] = (
    _odd, _text, _without, _piece, _twice, _renamed, _kind, _links, _identity, _variables,
)  # fmt: skip
