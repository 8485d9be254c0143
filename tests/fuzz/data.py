"""Changes of a document as data: what parses well, and means something odd."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Sequence
from typing import Any, Final

from tests.fuzz.text import CODE, TEXTS

from penstock.kinds import KINDS

Holder = tuple[Any, Any]
"""A list or mapping, and the index or key of something in it."""

KIND_NAMES: Final = sorted(KINDS)
NAMES: Final = ("a", "b", "log", "api", "router", "end", "tell", "out", "x-1", "net")
ODD: Final = (
    None, True, False, 0, -1, 3, 1.5, 1e308, 2**53 + 1, 2**63, 2**64, 10**99, float("nan"), float("inf"),
    [], {}, [[]], [None], {"": ""}, {"a": {"a": {}}}, "", b"\xff", "\ud800", "\x00", (1, 2), {1: 2}, {None: 1},
)  # fmt: skip
PORTS: Final = ("out", "in", "error", "init", "term", "out[0]", "out[1]", "out[9]", "done", "nowhere", "", "in[0]")
FIELDS: Final = (
    "id", "name", "namespace", "revision", "kind", "env", "links", "ports", "annotations", "retry", "timeout",
    "join", "flow", "nodes", "specs", "inbounds", "outbounds", "triggers", "inputs", "outputs", "settings",
    "code", "language", "match", "routes", "port", "schedule", "every", "message", "data",
)  # fmt: skip


def changed(chance: random.Random, document: Any, others: Sequence[Any]) -> Any:
    """A copy of the document with a few changes. others: documents to take pieces from."""
    root = [copy.deepcopy(document)]
    for _ in range(chance.choice((1, 1, 2, 3, 5))):
        _change(chance, root, others)
    return root[0]


def _change(chance: random.Random, root: list[Any], others: Sequence[Any]) -> None:
    holder, key = chance.choice(list(places(root)))
    match chance.randrange(10):
        case 0:
            holder[key] = copy.deepcopy(chance.choice(ODD))
        case 1:
            holder[key] = chance.choice(chance.choice((TEXTS, CODE, NAMES)))
        case 2:
            if holder is not root:
                del holder[key]
        case 3:  # a piece of another document, wherever it may fit
            donor, where = chance.choice(list(places([chance.choice(others)])))
            holder[key] = copy.deepcopy(donor[where])
        case 4:  # something said twice, or in another order
            if isinstance(holder, list):
                holder.insert(chance.randint(0, len(holder)), copy.deepcopy(holder[key]))
        case 5:  # a value under the name of another field
            if isinstance(holder, dict):
                holder[chance.choice(FIELDS)] = copy.deepcopy(holder[key])
        case 6:
            for spec in _specs(root, chance):
                spec["kind"] = chance.choice(KIND_NAMES)
        case 7:  # links to anywhere, in circles, by ports that are not there
            for spec in _specs(root, chance):
                spec["links"] = {chance.choice(PORTS): _targets(chance, root) for _ in range(chance.randint(1, 3))}
        case 8:  # who it is, and whose
            for spec in _specs(root, chance):
                spec[chance.choice(("id", "name"))] = chance.choice((*NAMES, *_names(root), *TEXTS))
                if chance.random() < 0.3:
                    spec["namespace"] = chance.choice(("default", "other", "", "no name", None))
                if chance.random() < 0.3:
                    spec["revision"] = chance.choice((0, 1, 2, -1, 2**64, "1"))
        case _:  # where its variables come from
            for spec in _specs(root, chance):
                spec["env"] = {
                    chance.choice(("A", "PORT", "a b", "")): {
                        chance.choice(("name", "id", "data")): chance.choice((*NAMES, *CODE)),
                        "data": chance.choice((*CODE, None, 1, {})),
                    }
                }


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


def _specs(root: list[Any], chance: random.Random) -> list[dict[str, Any]]:
    """One of the specs in it, at any depth, if there is one."""
    found = [
        holder[key]
        for holder, key in places(root)
        if isinstance(holder[key], dict) and holder[key].keys() & {"kind", "flow", "node_type", "data"}
    ]
    return [chance.choice(found)] if found else []


def _names(root: list[Any]) -> list[str]:
    return [
        holder[key] for holder, key in places(root) if key in ("name", "id") and isinstance(holder[key], str)
    ] or ["a"]


def _targets(chance: random.Random, root: list[Any]) -> Any:
    name = chance.choice((*_names(root), *NAMES))
    port = chance.choice(PORTS)
    shapes: tuple[Any, ...] = (
        name, f"{name}.{port}", {"name": name, "port": port}, {"id": name}, [name, {"name": name}], [], None,
        [[name]], {"name": name, "id": name}, 5,
    )  # fmt: skip
    return chance.choice(shapes)
