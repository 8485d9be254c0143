"""From a spec to something that runs: decode, check, compile.

Whatever is wrong with a flow is found here, all of it in one go, before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from penstock.core.errors import DocumentError
from penstock.core.graph import dependencies_first, find_cycle
from penstock.core.payload import Payload, normalise
from penstock.core.ports import Port, Ports, look_up
from penstock.core.problems import Path, Problem, suggest
from penstock.core.spec import FlowSpec, Link, NodeSpec, decode_hook, digest
from penstock.engine.binding import Binder
from penstock.engine.environment import Environment
from penstock.engine.flow import GraphFlow
from penstock.engine.kind import FieldError, Node
from penstock.engine.plan import Site, compile_flow
from penstock.engine.scheme import Scheme
from penstock.engine.types import can_meet, type_name

NODE_FIELDS = ("annotations", "env", "id", "join", "kind", "links", "name", "namespace", "ports", "retry", "timeout")
"""What every node may say, whatever its kind."""


def compile_spec(
    spec: FlowSpec, scheme: Scheme, *, binder: Binder, values: Mapping[str, Payload] | None = None
) -> GraphFlow:
    """A flow that can run. Raises DocumentError with every problem, not yet placed.

    values: value documents by name, for `env`.
    """
    return _Compilation(spec, scheme, binder, values or {}).flow()


class _Compilation:
    """One spec on its way; `problems` gathers what is wrong with it."""

    def __init__(
        self, spec: FlowSpec, scheme: Scheme, binder: Binder, values: Mapping[str, Payload]
    ) -> None:
        self.spec = spec
        self.scheme = scheme
        self.binder = binder
        self.values = values
        self.problems: list[Problem] = []
        self.nodes: dict[str, Node] = {}
        self.specs = {node.key: node for node in spec.nodes}
        self.by_id = {node.id: node.key for node in spec.nodes if node.id}
        self.links: dict[str, list[Link]] = {}
        self.incoming: dict[str, list[tuple[str, Link]]] = {key: [] for key in self.specs}

    def flow(self) -> GraphFlow:
        if not self.specs:
            self._problem(self.spec.at, f"flow `{self.spec.name}` has no nodes")
        for key, node in self.specs.items():
            instance = self._instance(node)
            if instance is not None:
                self.nodes[key] = instance
        for key, node in self.specs.items():
            resolved = [self._resolve(key, link) for link in node.links]
            self.links[key] = [link for link in resolved if self._check_link(key, link)]
        self._check_cycles()
        self._give_up()
        entries = [key for key in self.specs if not self.incoming[key]]
        spec = self._imply_inputs(entries)
        self._check_feeds(entries, spec)
        self._check_calls()
        self._check_outputs()
        self._give_up()
        sites = {key: self._site(node) for key, node in self.specs.items()}
        plan = compile_flow(sites, entries, spec.outputs)
        spec = msgspec.structs.replace(spec, called=dict(self.binder.called))
        edges = self._edges()
        order = tuple(self.nodes[key] for key in dependencies_first(edges, list(edges)))
        return GraphFlow(spec, plan, order, revision=digest(spec), folder=self.binder.folder)

    def _give_up(self) -> None:
        if self.problems:
            raise DocumentError(self.problems)

    def _problem(self, path: Path, message: str, hint: str = "") -> None:
        self.problems.append(Problem(message, path, hint))

    # --- nodes --------------------------------------------------------------------

    def _instance(self, spec: NodeSpec) -> Node | None:
        kind = self.scheme.get(spec.kind)
        if kind is None:
            self._problem((*spec.at, "kind"), f"unknown kind `{spec.kind}`", self.scheme.hint(spec.kind))
            return None
        config = self._config(spec, kind)
        if config is None:
            return None
        try:
            instance = kind(**config)
            instance.check()
            instance.bind(self.binder)
        except DocumentError as error:
            self.problems += error.problems
            return None
        except FieldError as error:
            self._problem((*spec.config_at, error.field), f"`{spec.kind}`: {error}")
            return None
        except (ValueError, TypeError) as error:
            self._problem(spec.at, f"`{spec.kind}`: {error}")
            return None
        return instance

    def _config(self, spec: NodeSpec, kind: type[Node]) -> dict[str, Any] | None:
        """The node's own fields, decoded; None when some of them are wrong."""
        before = len(self.problems)
        hints = kind.config_types()
        environment = Environment({**self.spec.env, **spec.env}, self.values)
        decoded: dict[str, Any] = {}
        for name, value in spec.config.items():
            path = (*spec.config_at, name)
            if name not in hints:
                known = (*hints, *(field for field in NODE_FIELDS if not spec.config_at[len(spec.at) :]))
                text = f"`{spec.kind}` has no field `{name}`"
                self.problems.append(Problem(text, path, suggest(name, known), at_key=True))
                continue
            try:
                rendered = environment.render(value)
                decoded[name] = msgspec.convert(rendered, hints[name], dec_hook=decode_hook)
            except (msgspec.ValidationError, ValueError) as error:
                inner, text = _split(str(error))
                self._problem((*path, *inner), text)
        for name in kind.required_config():
            if name not in spec.config:
                self._problem(spec.at, f"`{spec.kind}` needs the field `{name}`", f"add `{name}: …`")
        return decoded if len(self.problems) == before else None

    def _site(self, spec: NodeSpec) -> Site:
        node = self.nodes[spec.key]
        given = {
            port: normalise(getattr(node, port))
            for port in node.ports()[0]
            if port in spec.config and hasattr(node, port)
        }
        links = tuple((link.port, link.node, link.to) for link in self.links[spec.key])
        return Site(
            spec.key,
            node,
            links=links,
            retry=spec.retry,
            timeout=spec.timeout,
            join=spec.join,
            config_inputs=given,
        )

    # --- links --------------------------------------------------------------------

    def _resolve(self, source: str, link: Link) -> Link:
        """A link in its own terms: by key rather than id, by ports rather than their aliases.

        `in` of a node that has one other in-port means that one.
        """
        node = link.node
        port = link.port
        if source in self.nodes:
            port = self.nodes[source].port_aliases.get(port, port)
        if node not in self.specs:
            node = self.by_id.get(node, node)
        to = link.to
        if node in self.nodes:
            to = self.nodes[node].port_aliases.get(to, to)
        if to == "in" and node in self.nodes:
            ports = self.nodes[node].ports()[0]
            plain = [port for port in ports if not port.endswith("[]")]
            if "in" not in ports and len(plain) == 1:
                to = plain[0]
        return Link(port=port, node=node, to=to, at=link.at)

    def _check_link(self, source: str, link: Link) -> bool:
        """Whether a link can be followed; what is wrong with it becomes a problem."""
        if link.node not in self.specs:
            self._problem(link.at, f"no node is called `{link.node}`", suggest(link.node, self.specs))
            return False
        self.incoming[link.node].append((source, link))
        if source not in self.nodes or link.node not in self.nodes:
            return False
        kind, goal = self.nodes[source], self.nodes[link.node]
        port = _out_port(kind, link.port)
        if port is None:
            ports = (*kind.ports()[1], "error")
            self._problem(link.at, f"`{kind.kind}` has no out-port `{link.port}`", suggest(link.port, ports))
            return False
        target = look_up(goal.ports()[0], link.to)
        if target is None:
            ports_in = goal.ports()[0]
            self._problem(link.at, f"`{goal.kind}` has no in-port `{link.to}`", suggest(link.to, ports_in))
            return False
        if not can_meet(port.type, target.type):
            self._problem(
                link.at,
                f"`{source}.{link.port}` is {type_name(port.type)}, "
                f"and `{link.node}.{link.to}` takes {type_name(target.type)}",
                "put a node in between that turns the one into the other",
            )
            return False
        return True

    def _edges(self) -> dict[str, list[str]]:
        return {
            key: [link.node for link in found if link.node in self.specs] for key, found in self.links.items()
        }

    def _check_cycles(self) -> None:
        edges = {
            key: [self.by_id.get(link.node, link.node) for link in spec.links]
            for key, spec in self.specs.items()
        }
        edges = {key: [name for name in names if name in self.specs] for key, names in edges.items()}
        cycle = find_cycle(edges)
        if cycle is None:
            return
        links = self.specs[cycle[0]].links
        link = next(link for link in links if self.by_id.get(link.node, link.node) == cycle[1])
        self._problem(
            link.at,
            f"the links go round in a circle: {' → '.join(cycle)}",
            "to repeat something, call it from a `loop` or a `retry`",
        )

    # --- inputs and outputs -------------------------------------------------------

    def _imply_inputs(self, entries: list[str]) -> FlowSpec:
        """A flow that declares no inputs takes what its entries cannot do without."""
        if self.spec.inputs:
            return self.spec
        implied = {
            port: _schema(about)
            for key in entries
            for port, about in _open_ports(self.nodes[key], self.specs[key])
        }
        return msgspec.structs.replace(self.spec, inputs=implied, required=tuple(implied))

    def _check_feeds(self, entries: list[str], spec: FlowSpec) -> None:
        for key, node in self.nodes.items():
            fed = {link.to for _, link in self.incoming[key]}
            for port, _ in _open_ports(node, self.specs[key]):
                if port in fed or (key in entries and port in spec.inputs):
                    continue
                ways = "link something to it" + (f", or set `{port}: …`" if port in node.config_types() else "")
                if key in entries:
                    ways += f", or declare `{port}` under `inputs`"
                self._problem(self.specs[key].at, f"in-port `{port}` of `{key}` gets no value", ways)

    def _check_calls(self) -> None:
        """A node inside a call can only be fed from inside of it."""
        for key, node in self.nodes.items():
            called = [
                port for port in dict.fromkeys(link.port for link in self.links[key]) if _calls(node, port)
            ]
            for port in called:
                self._check_call(key, port)
            if node.requires_call and not called:
                callable_ports = [port for port, about in node.ports()[1].items() if about.call]
                ports = " or ".join(f"`{port.replace('[]', '[0]')}`" for port in callable_ports)
                self._problem(self.specs[key].at, f"`{key}` has nothing to call", f"link its port {ports}")

    def _check_call(self, caller: str, port: str) -> None:
        inside = self._reached(caller, port)
        for name in inside:
            for source, link in self.incoming[name]:
                calls = self._is_call(source, link)
                if (source in inside and not calls) or (source == caller and link.port == port):
                    continue
                if calls or link.to in {other.to for s, other in self.incoming[name] if s in inside}:
                    continue
                self._problem(
                    link.at,
                    f"`{caller}.{port}` calls `{name}`, which also waits for `{source}` outside of that call",
                    f"link `{source}` into what `{caller}` gets, or `{name}` behind `{caller}`",
                )

    def _reached(self, caller: str, port: str) -> set[str]:
        """What packets reach when this port is called."""
        stack = [link.node for link in self.links[caller] if link.port == port]
        inside: set[str] = set()
        while stack:
            name = stack.pop()
            if name not in inside:
                inside.add(name)
                stack += [link.node for link in self.links[name] if not self._is_call(name, link)]
        return inside

    def _is_call(self, source: str, link: Link) -> bool:
        return source in self.nodes and _calls(self.nodes[source], link.port)

    def _check_outputs(self) -> None:
        for field, reference in self.spec.outputs.items():
            name, _, port = reference.partition(".")
            path = (*self.spec.at, "outputs", field)
            if name not in self.nodes:
                self._problem(path, f"no node is called `{name}`", suggest(name, self.nodes))
            elif _out_port(self.nodes[name], self.nodes[name].port_aliases.get(port, port) or "out") is None:
                ports = self.nodes[name].ports()[1]
                self._problem(
                    path, f"`{name}` has no out-port `{port or 'out'}`", suggest(port or "out", ports)
                )


def _out_port(node: Node, name: str) -> Port | None:
    """The declaration of an out-port; every node has `error`."""
    return look_up(node.ports()[1], name) or (Port() if name == "error" else None)


def _calls(node: Node, port: str) -> bool:
    declared = _out_port(node, port)
    return declared is not None and declared.call


def _open_ports(node: Node, spec: NodeSpec) -> list[tuple[str, Port]]:
    """In-ports that need a value which neither the config nor a default gives."""
    ports: Ports = node.ports()[0]
    return [
        (name, about)
        for name, about in ports.items()
        if about.required and not name.endswith("[]") and name not in spec.config
    ]


def _schema(port: Port) -> dict[str, Any]:
    try:
        schema = dict(msgspec.json.schema(port.type))
    except (TypeError, msgspec.MsgspecError):
        schema = {}
    if "$defs" in schema:  # a schema of properties has no place for definitions
        schema = {"type": schema["type"]} if "type" in schema else {"type": "object"}
    if port.doc:
        schema["description"] = port.doc
    return schema


def _split(message: str) -> tuple[Path, str]:
    """msgspec's "… - at `$.match[0].port`" as a path and the message without it."""
    text, _, where = message.partition(" - at `")
    path: list[str | int] = []
    for part in where.rstrip("`").lstrip("$").replace("[", ".[").split("."):
        if part.startswith("[") and part[1:-1].isdigit():
            path.append(int(part[1:-1]))
        elif part and not part.startswith("["):
            path.append(part)
    return tuple(path), text
