"""Links, as documents write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.core.spec import Link
from penstock.document.fields import Fields

if TYPE_CHECKING:
    from penstock.core.problems import Path
    from penstock.document.findings import Findings

IN = "in"
OUT = "out"

_WHAT = "a link (`name`, `name.port`, or a mapping with `name` and `port`)"


def read_links(fields: Fields) -> tuple[Link, ...]:
    """The links of a node, from its `links` or `ports`, in the order of the document.

    A link that names its node by id keeps the id; the scope resolves it.
    """
    name, value = fields.first("links", "ports")
    if fields.data.get("links") is not None and fields.data.get("ports") is not None:
        fields.asked["ports"] = None
        hint = "`ports` is another word for `links`; keep one of them"
        fields.report("ports", "`links` and `ports` are both given", hint=hint, at_key=True)
    return read_targets(value, fields.at(name), fields.findings)


def read_targets(
    value: Any, at: Path, findings: Findings, *, default: str = IN, of: str = "out-ports"
) -> tuple[Link, ...]:
    """The links of a mapping from ports to what they are linked with.

    default: the port that a bare node's name means. of: what the ports are, for messages.
    """
    ports = Fields.of(value, at, findings, f"a mapping from {of} to links")
    links: list[Link] = []
    for port, targets in ports.data.items():
        at = ports.at(port)
        if isinstance(targets, list):
            for index, target in enumerate(targets):
                links += _read_link(port, target, (*at, index), findings, default)
        elif targets is not None:
            links += _read_link(port, targets, at, findings, default)
    return tuple(links)


def _read_link(port: str, value: Any, at: Path, findings: Findings, default: str) -> list[Link]:
    if isinstance(value, str):
        node, to = split_target(value, default)
        if not node or not to:
            findings.expected(_WHAT, value, at)
            return []
        return [Link(port=port, node=node, to=to, at=at)]
    if not isinstance(value, dict):
        findings.expected(_WHAT, value, at)
        return []
    fields = Fields(value, at, findings)
    name, ident = fields.text("name"), fields.text("id")
    to = fields.text("port") or default
    fields.close()
    if name and ident:
        fields.report("id", "`name` and `id` are both given", hint="one of them is enough", at_key=True)
    elif not name and not ident:
        if fields.lacks("name", "id"):
            fields.missing("name", hint="a link says which node it goes to")
        return []
    return [Link(port=port, node=name or ident, to=to, at=at)]


def split_target(text: str, default: str) -> tuple[str, str]:
    """`node.port` as its two parts; a bare `node` means the port `default`."""
    node, dot, port = text.strip().partition(".")
    return node, port if dot else default
