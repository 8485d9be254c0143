"""Plans: the compiled, immutable form of what hangs from an entry.

Everything that can be known before a packet moves is worked out here, once, so that a
process only follows pointers: which links leave a port, whether a node can fire more than
once, which inputs never change, and whether a call needs anything of the engine at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from penstock.core.duration import Duration
from penstock.core.payload import Payload
from penstock.core.policies import Join, Retry
from penstock.core.ports import Ports
from penstock.engine.kind import Control, Node
from penstock.engine.site import Site

_NO_INPUTS: Final[dict[str, Payload]] = {}
_NO_PLANS: Final[dict[str, Plan]] = {}


class Route:
    """One link inside a plan.

    ordinal: which of the links of its in-port this is, or None when it is the only one;
    it becomes part of the branch of every packet that takes it.
    """

    __slots__ = ("ordinal", "port", "target")

    def __init__(self, target: Vertex, port: str) -> None:
        self.target = target
        self.port = port
        self.ordinal: int | None = None


class Vertex:
    """One node's place in a plan.

    order: its rank in the order in which links are written, which orders responses.
    linked: the in-ports that links of this plan feed. in_links: how many links that is.
    base: the inputs that no link feeds. once: it fires at most once.
    solo: it has one link, which carries at most one packet: it needs no bookkeeping.
    plain: its `run` needs nothing of the engine: neither context, loop, thread nor policy.
    bare: the same for an `async` one, which needs the loop and nothing else.
    follower: the route of a vertex with a single link to a solo vertex.
    """

    __slots__ = (
        "bare",
        "base",
        "blocking",
        "called",
        "captures",
        "follower",
        "in_links",
        "index",
        "is_async",
        "is_control",
        "join",
        "kind",
        "linked",
        "many_ports",
        "name",
        "node",
        "normalised",
        "once",
        "order",
        "out_ports",
        "plain",
        "pure",
        "retry",
        "routes",
        "run",
        "solo",
        "timeout",
        "wants_context",
    )

    def __init__(self, index: int, name: str, node: Node) -> None:
        self.index = index
        self.name = name
        self.node = node
        self.kind = node.kind
        self.run: Callable[..., Any] = node.run  # type: ignore[attr-defined]
        self.is_async = node.is_async
        self.is_control = isinstance(node, Control)
        self.wants_context = node.wants_context
        self.blocking = node.blocking
        self.pure = node.pure
        self.normalised = node.normalised
        self.retry: Retry | None = None
        self.timeout: Duration | None = None
        self.join = Join.ALL
        self.order = 0
        self.linked: tuple[str, ...] = ()
        self.in_links = 0
        self.base: Mapping[str, Payload] = _NO_INPUTS
        self.routes: dict[str, tuple[Route, ...]] = {}
        self.called: Mapping[str, Plan] = _NO_PLANS
        self.captures: tuple[tuple[str, str], ...] = ()
        self.many_ports: frozenset[str] = frozenset()
        self.out_ports: frozenset[str] = frozenset()
        self.once = True
        self.solo = False
        self.plain = False
        self.bare = False
        self.follower: tuple[str, Vertex, str] | None = None


class Plan:
    """A compiled subgraph.

    entries: the vertices that fire by themselves (a flow's), each with its free in-ports.
    feeds: the links of the port that this plan hangs from (a call's). inlets: the same by
    in-port, for a graph that stands for a node.
    outputs: the names of the result's fields when the flow names its result.
    inline: every vertex is plain, so the plan needs no event loop to run.
    """

    __slots__ = ("entries", "feeds", "inlets", "inline", "outputs", "vertices")

    def __init__(
        self,
        vertices: tuple[Vertex, ...],
        *,
        entries: tuple[Vertex, ...] = (),
        feeds: tuple[Route, ...] = (),
        inlets: Mapping[str, tuple[Route, ...]] | None = None,
        outputs: tuple[str, ...] = (),
    ) -> None:
        self.vertices = vertices
        self.entries = entries
        self.feeds = feeds
        self.inlets = inlets or {}
        self.outputs = outputs
        self.inline = all(vertex.plain for vertex in vertices)


def compile_flow(
    sites: Mapping[str, Site], entries: Iterable[str], outputs: Mapping[str, str] | None = None
) -> Plan:
    """The plan of a flow: its entries and everything that packets from them can reach."""
    return _Compiler(sites).flow(list(entries), dict(outputs or {}))


def compile_nested(
    sites: Mapping[str, Site],
    inlets: Mapping[str, list[tuple[str, str]]],
    outlets: Mapping[str, list[tuple[str, str]]],
) -> Plan:
    """The plan of a graph that stands for a node.

    inlets: in-port → the nodes and in-ports inside that get its packet. outlets: out-port → the
    nodes and out-ports inside whose packets leave by it; without any, the response does.
    """
    return _Compiler(sites).nested(inlets, outlets)


class Called:
    """Compiles what hangs from ports, over one set of sites."""

    def __init__(self, sites: Mapping[str, Site]) -> None:
        self._sites = sites
        self._shared = _Shared()

    def plan(self, links: list[tuple[str, str]]) -> Plan:
        """The plan of what these links lead to, each a node and an in-port of it."""
        return _Compiler(self._sites, self._shared).called(links)


class _Shared:
    """What the compilers of one flow share.

    plans: of called ports, each compiled once. ports: the names of a kind's out-ports, by
    the identity of their declaration, which is kept with them.
    """

    def __init__(self) -> None:
        self.plans: dict[tuple[str, str], Plan] = {}
        self.ports: dict[int, tuple[Ports, frozenset[str], frozenset[str]]] = {}


class _Compiler:
    """Builds the plan of one entry; every called port gets a compiler of its own."""

    def __init__(self, sites: Mapping[str, Site], shared: _Shared | None = None) -> None:
        self.sites = sites
        self.shared = shared or _Shared()
        self.vertices: dict[str, Vertex] = {}
        self.arriving: dict[str, dict[str, list[Route]]] = {}

    def flow(self, entries: list[str], outputs: dict[str, str]) -> Plan:
        self._reach(entries)
        self._connect()
        captures: dict[str, list[tuple[str, str]]] = {}
        for field, source in outputs.items():
            name, _, port = source.partition(".")
            captures.setdefault(name, []).append((field, port or "out"))
        for name, wanted in captures.items():
            if name in self.vertices:
                self.vertices[name].captures = tuple(wanted)
        self._classify(set())
        return Plan(
            tuple(self.vertices.values()),
            entries=tuple(self.vertices[name] for name in entries),
            outputs=tuple(outputs),
        )

    def called(self, links: list[tuple[str, str]]) -> Plan:
        self._reach([name for name, _ in links])
        feeds = self._feeds(links)
        self._connect()
        self._classify(set())
        return Plan(tuple(self.vertices.values()), feeds=feeds)

    def nested(
        self,
        inlets: Mapping[str, list[tuple[str, str]]],
        outlets: Mapping[str, list[tuple[str, str]]],
    ) -> Plan:
        self._reach([name for links in inlets.values() for name, _ in links])
        feeds = {port: self._feeds(links) for port, links in inlets.items()}
        self._connect()
        for field, sources in outlets.items():
            for name, port in sources:
                if name in self.vertices:
                    self.vertices[name].captures += ((field, port),)
        self._classify(set())
        return Plan(tuple(self.vertices.values()), inlets=feeds, outputs=tuple(outlets))

    def _feeds(self, links: list[tuple[str, str]]) -> tuple[Route, ...]:
        feeds = []
        for name, port in links:
            route = Route(self.vertices[name], port)
            self.arriving.setdefault(name, {}).setdefault(port, []).append(route)
            feeds.append(route)
        return tuple(feeds)

    def _reach(self, roots: list[str]) -> None:
        """Make a vertex for everything that packets can reach, in the written order."""
        stack = list(reversed(roots))
        while stack:
            name = stack.pop()
            if name in self.vertices:
                continue
            site = self.sites[name]
            vertex = Vertex(len(self.vertices), name, site.node)
            vertex.order = vertex.index
            vertex.retry, vertex.timeout = site.retry, site.timeout
            vertex.join = site.join or site.node.default_join
            self.vertices[name] = vertex
            stack.extend(target for port, target, _ in reversed(site.links) if not site.calls(port))

    def _connect(self) -> None:
        for name, vertex in self.vertices.items():
            site = self.sites[name]
            routes: dict[str, list[Route]] = {}
            called: dict[str, list[tuple[str, str]]] = {}
            for port, target, to in site.links:
                if site.calls(port):
                    called.setdefault(port, []).append((target, to))
                    continue
                route = Route(self.vertices[target], to)
                routes.setdefault(port, []).append(route)
                self.arriving.setdefault(target, {}).setdefault(to, []).append(route)
            vertex.routes = {port: tuple(found) for port, found in routes.items()}
            if called:
                vertex.called = {port: self._called(name, port, found) for port, found in called.items()}

    def _called(self, name: str, port: str, links: list[tuple[str, str]]) -> Plan:
        """The plan of a called port, compiled once however many ways lead to it."""
        plan = self.shared.plans.get((name, port))
        if plan is None:
            plan = self.shared.plans[name, port] = _Compiler(self.sites, self.shared).called(links)
        return plan

    def _classify(self, repeated: set[str]) -> None:
        """Work out, in the order of the links, what each vertex can be spared."""
        for name in self._sources_first():
            vertex = self.vertices[name]
            arriving = self.arriving.get(name, {})
            vertex.linked = tuple(arriving)
            vertex.in_links = sum(len(routes) for routes in arriving.values())
            for routes in arriving.values():
                if len(routes) > 1:
                    for ordinal, route in enumerate(routes):
                        route.ordinal = ordinal
            vertex.once = name not in repeated and all(len(routes) == 1 for routes in arriving.values())
            vertex.solo = vertex.once and vertex.in_links == 1
            vertex.out_ports, vertex.many_ports = self._port_names(vertex.node)
            for port, routes_out in vertex.routes.items():
                if not vertex.once or port in vertex.many_ports:
                    repeated.update(route.target.name for route in routes_out)
            self._fill_base(vertex)
            needs_engine = (
                vertex.wants_context
                or vertex.blocking
                or vertex.is_control
                or vertex.retry
                or vertex.timeout
            )
            vertex.plain = not needs_engine and not vertex.is_async
            vertex.bare = not needs_engine and vertex.is_async
        for vertex in self.vertices.values():
            vertex.follower = _follower(vertex)

    def _port_names(self, node: Node) -> tuple[frozenset[str], frozenset[str]]:
        """All out-ports of a node and those that may emit many; alike nodes share them.

        Sharing is for speed: what a firing touches should be in the processor's cache.
        """
        declared = node.ports()[1]
        known = self.shared.ports.get(id(declared))
        if known is None:
            many = frozenset(port for port, about in declared.items() if about.many)
            known = self.shared.ports[id(declared)] = (declared, frozenset(declared), many)
        return known[1:]

    def _fill_base(self, vertex: Vertex) -> None:
        site = self.sites[vertex.name]
        base: dict[str, Payload] = {}
        for port, declared in vertex.node.ports()[0].items():
            if port.endswith("[]"):
                continue
            if port in vertex.linked and len(vertex.linked) == 1:
                continue  # always fed; of several, `join: any` may go on without one
            if port in site.config_inputs:
                base[port] = site.config_inputs[port]
            elif not declared.required:
                base[port] = declared.default
        vertex.base = base or _NO_INPUTS

    def _sources_first(self) -> list[str]:
        """Kahn's algorithm; the graph is known to have no cycle."""
        waiting = {
            name: sum(1 for routes in self.arriving.get(name, {}).values() for _ in routes)
            for name in self.vertices
        }
        fed = {
            route
            for vertex in self.vertices.values()
            for routes in vertex.routes.values()
            for route in routes
        }
        for name, ports in self.arriving.items():
            waiting[name] -= sum(1 for routes in ports.values() for route in routes if route not in fed)
        free = [name for name, count in waiting.items() if count == 0]
        order: list[str] = []
        while free:
            name = free.pop()
            order.append(name)
            for routes in self.vertices[name].routes.values():
                for route in routes:
                    waiting[route.target.name] -= 1
                    if waiting[route.target.name] == 0:
                        free.append(route.target.name)
        return order


def _follower(vertex: Vertex) -> tuple[str, Vertex, str] | None:
    """The one vertex that a packet goes on to, when no bookkeeping is needed for it."""
    routes = [(port, route) for port, found in vertex.routes.items() for route in found]
    if len(routes) != 1 or not vertex.once or vertex.captures:
        return None
    port, route = routes[0]
    if not route.target.solo:
        return None
    return port, route.target, route.port
