"""Connections: links in a list of their own, as the flow engine writes them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from penstock.core.spec import Link
from penstock.document.fields import Fields
from penstock.document.links import IN, OUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.core.spec import NodeSpec
    from penstock.document.scope import Scope


class Ends:
    """The nodes that a connection may name: by id, by name, or by an unambiguous title."""

    def __init__(self, scope: Scope, nodes: Sequence[NodeSpec]) -> None:
        self.scope = scope
        titles = [node.annotations.get("title", "") for node in nodes]
        holders = Counter(titles)
        self.titles = {
            title: node.key
            for title, node in zip(titles, nodes, strict=True)
            if title and holders[title] == 1
        }

    def exact(self, text: str) -> str | None:
        """The key of the node that `text` names as a whole."""
        return self.scope.keys.get(text) or self.titles.get(text)


def read_connections(fields: Fields, known: Ends) -> dict[str, list[Link]]:
    """Node → its links, in the order of the connections."""
    links: dict[str, list[Link]] = {}
    for index, value in fields.items("connections"):
        path = ("connections", index)
        if not isinstance(value, dict):
            fields.findings.expected(
                "a connection (a mapping with `from_node` and `to_node`)", value, path
            )
            continue
        ends = Fields(value, path, fields.findings)
        for note in ("id", "name", "label", "metadata"):
            ends.take(note)
        source = _read_end(ends, "from", "source", OUT, known)
        target = _read_end(ends, "to", "target", IN, known)
        ends.close()
        if source and target:
            link = Link(port=source[1], node=target[0], to=target[1], at=path)
            links.setdefault(source[0], []).append(link)
    return links


def _read_end(ends: Fields, word: str, other: str, default: str, known: Ends) -> tuple[str, str] | None:
    """Node and port of one end of a connection; reports a node that does not exist."""
    field, value = ends.first(f"{word}_node", word, f"{word}_id", other, f"{other}_node", f"{other}_id")
    port_field = f"{other}_port" if field.startswith(other) else f"{word}_port"
    port, at = ends.text(port_field), ends.at(field)
    if isinstance(value, dict):
        inner = Fields(value, at, ends.findings)
        name, text = inner.first("node", "node_id", "id", "name")
        at, value = inner.at(name), text
        port = inner.text("port") or port
        inner.close()
        if value is None:
            inner.missing("node")
            return None
    elif value is None:
        ends.missing(f"{word}_node")
        return None
    if not isinstance(value, str):
        ends.findings.expected("the id of a node", value, at)
        return None
    if key := known.exact(value):
        return key, port or default
    node, _, behind = value.partition(".")
    key = known.scope.find(node, at)
    return None if key is None else (key, port or behind or default)
