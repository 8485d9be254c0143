"""The links of a flow: where each leads, and whether it can be followed."""

from __future__ import annotations

from collections.abc import Mapping

from penstock.core.graph import find_cycle
from penstock.core.problems import Path, suggest
from penstock.core.spec import FlowSpec, Link
from penstock.document.findings import Findings
from penstock.engine.interface import Interface
from penstock.engine.types import can_meet, type_name


class Wiring:
    """The nodes of a flow and the links between them, each in its own terms: keys and ports.

    faces: the ports of the nodes, as far as they are known. outgoing, incoming: by node;
    what comes in is told with the node it comes from. edges: where links lead, whatever
    their ports. clear: every link is known and leads to a port, so that a port without a
    link has none.
    """

    def __init__(self, spec: FlowSpec, faces: Mapping[str, Interface], findings: Findings) -> None:
        self.specs = {node.key: node for node in spec.nodes}
        self.faces = faces
        self.findings = findings
        self.incoming: dict[str, list[tuple[str, Link]]] = {key: [] for key in self.specs}
        self.outgoing: dict[str, list[Link]] = {key: [] for key in self.specs}
        self.edges: dict[str, list[str]] = {}
        self.clear = not any(_wires(path) for path in findings.doubts(spec.at))
        self._by_id = {node.id: node.key for node in spec.nodes if node.id}
        resolved = {
            node.key: [self._resolve(node.key, link) for link in node.links] for node in spec.nodes
        }
        for key, links in resolved.items():
            self.edges[key] = [link.node for link in links if link.node in self.specs]
            self.outgoing[key] = [link for link in links if self._connects(key, link)]
        self._check_cycles(resolved)

    @property
    def entries(self) -> list[str]:
        """The nodes that no link leads to."""
        return [key for key in self.specs if not self.incoming[key]]

    def key(self, name: str) -> str:
        """The key of the node that a name or id means. A name goes before the id of another node."""
        return name if name in self.specs else self._by_id.get(name, name)

    def drop_loose(self) -> None:
        """Forget, where they arrive, the links that cannot be followed."""
        followed = {id(link) for links in self.outgoing.values() for link in links}
        for key, arriving in self.incoming.items():
            self.incoming[key] = [pair for pair in arriving if id(pair[1]) in followed]

    def is_call(self, source: str, port: str) -> bool:
        """Whether what hangs from this out-port is called."""
        declared = self.faces[source].output(port) if source in self.faces else None
        return declared is not None and declared.call

    def _resolve(self, source: str, link: Link) -> Link:
        """A link by key rather than id, by ports rather than other names for them."""
        key = self.key(link.node)
        port, to = link.port, link.to
        if source in self.faces:
            port = self.faces[source].own(port)
        if key in self.faces:
            to = self.faces[key].target(to)
        return Link(port=port, node=key, to=to, at=link.at)

    def _connects(self, source: str, link: Link) -> bool:
        """Whether a link can be followed; what is wrong with it is reported."""
        report = self.findings.report
        if link.node not in self.specs:
            self.clear = False
            report(f"no node is named `{link.node}`", link.at, hint=suggest(link.node, self.specs))
            return False
        self.incoming[link.node].append((source, link))
        here, there = self.faces.get(source), self.faces.get(link.node)
        leaves = here and here.output(link.port)
        arrives = there and there.input(link.to)
        if here and leaves is None:
            hint = suggest(link.port, (*here.outputs, "error"))
            report(f"`{here.kind.kind}` has no out-port `{link.port}`", link.at, hint=hint)
        if there and arrives is None:
            self.clear = False
            hint = suggest(link.to, there.inputs)
            report(f"`{there.kind.kind}` has no in-port `{link.to}`", link.at, hint=hint)
        if leaves is None or arrives is None:
            return False
        if not can_meet(leaves.type, arrives.type):
            report(
                f"`{source}.{link.port}` is {type_name(leaves.type)}, "
                f"and `{link.node}.{link.to}` takes {type_name(arrives.type)}",
                link.at,
                hint="put a node in between that turns the one into the other",
            )
            return False
        return True

    def _check_cycles(self, resolved: Mapping[str, list[Link]]) -> None:
        cycle = find_cycle(self.edges)
        if cycle is None:
            return
        self.clear = False
        link = next(link for link in resolved[cycle[0]] if link.node == cycle[1])
        self.findings.report(
            f"the links go round in a circle: {' → '.join(cycle)}",
            link.at,
            hint="to repeat something, call it from a `loop` or a `retry`",
        )


def _wires(path: Path) -> bool:
    """Whether a problem at this place of a flow may hide a link, or what one leads to."""
    match path:
        case ("connections", *_):
            return True
        case ("nodes",) | ("nodes", _):
            return True
        case ("nodes", _, "links" | "ports" | "name" | "id", *_):
            return True
    return False
