"""The rules of graphs, word for word: what fires, what it sends, what a flow answers.

No clock, no tasks, no engine: each node's firings follow from those of the nodes before
it. Slow and plain on purpose; the engine is held against it.

A failure that nothing catches ends its process, and what else happens there until then is
a matter of timing. So there are firings that must happen, and firings that may.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.properties.behaviour import (
    BODY_PORT,
    CAUGHT,
    ERROR_PORT,
    IN_PORTS,
    MANY_PORT,
    Behaviour,
    Fails,
    Several,
)

from penstock.core.policies import Join, Strategy
from penstock.core.spec import FlowSpec, NodeSpec

Branch = tuple[int, ...]
Packets = list[tuple[Branch, Any]]


class TooManyFirings(Exception):
    """The graph multiplies its packets beyond what a test has time for."""


@dataclass(frozen=True)
class Failed:
    """A failure as a payload."""


@dataclass
class Story:
    """What happened in some processes. `fired`: firing → what it sent, None for a failure."""

    fired: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)

    def add(self, other: "Story") -> None:
        self.fired.update(other.fired)
        self.skipped |= other.skipped


@dataclass
class Verdict:
    """How a flow must end.

    must: what happens in any case. may: what can happen besides, before a failure ends its
    process. uncaught: the firings of which one ends the run, or that `continue` lists.
    """

    must: Story
    may: Story
    uncaught: set[str]
    completed: bool
    response: Any


class Interpreter:
    """Runs flow specs by the rules. most: firings after which it gives up. edited: what in-ports get
    in place of what arrives, by firing.
    """

    def __init__(
        self, spec: FlowSpec, *, most: int = 300, edited: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        self.spec = spec
        self.edited = edited or {}
        self.nodes = {node.key: node for node in spec.nodes}
        self.goes_on = spec.settings.on_error.strategy is Strategy.CONTINUE
        self.left = most

    def run(self, inputs: Mapping[str, Any]) -> Verdict:
        targets = {link.node for node in self.spec.nodes for link in node.links}
        entries = [node.key for node in self.spec.nodes if node.key not in targets]
        process = Process(self, "", entries, root=True, inputs=inputs)
        process.traverse()
        completed = self.goes_on or not process.uncaught
        must, may = Story(), Story()
        must.add(process.must)
        may.add(process.may)
        if not completed:
            may.add(must)
            must = Story()
        response = process.named(self.spec.outputs) if self.spec.outputs else process.response()
        return Verdict(must, may, process.uncaught, completed, response)


class Process:
    """One traversal, from entries or from packets that a call feeds."""

    def __init__(
        self,
        interpreter: Interpreter,
        path: str,
        roots: Sequence[str],
        *,
        root: bool = False,
        inputs: Mapping[str, Any] | None = None,
        feeds: Sequence[tuple[str, str]] = (),
        value: Any = None,
    ) -> None:
        self.interpreter = interpreter
        self.path = path
        self.root = root
        self.inputs = inputs or {}
        self.value = value
        self.members: list[str] = []
        for name in roots:
            self._reach(name)
        # In-port → its links, in the order they are written; a feed has no source.
        self.incoming: dict[str, dict[str, list[tuple[str, str]]]] = {name: {} for name in self.members}
        for name, to in feeds:
            self.incoming[name].setdefault(to, []).append(("", ""))
        for source in self.members:
            for link in self._node(source).links:
                if link.port != BODY_PORT:
                    self.incoming[link.node].setdefault(link.to, []).append((source, link.port))
        self.firings: dict[str, list[tuple[Branch, dict[str, Any]]]] = {}
        self.must, self.may = Story(), Story()
        self.uncaught: set[str] = set()

    def _node(self, name: str) -> NodeSpec:
        return self.interpreter.nodes[name]

    def _reach(self, name: str) -> None:
        if name in self.members:
            return
        self.members.append(name)
        for link in self._node(name).links:
            if link.port != BODY_PORT:
                self._reach(link.node)

    # --- firing -------------------------------------------------------------------

    def traverse(self) -> None:
        for name in self.members:
            self._fired(name)

    def _fired(self, name: str) -> list[tuple[Branch, dict[str, Any]]]:
        """All firings of a node, those before it first."""
        if name not in self.firings:
            arrivals = self._arrivals(name)
            if not arrivals:
                self.must.skipped.add(self.path + name)
            self.firings[name] = [(branch, self._fire(name, branch, came)) for branch, came in arrivals]
        return self.firings[name]

    def _arrivals(self, name: str) -> list[tuple[Branch, dict[str, Any]]]:
        """What each firing of a node gets over links, with its branch."""
        linked = self.incoming[name]
        if not linked:
            return [((), {})]
        packets = {port: self._packets(links) for port, links in linked.items()}
        if len(packets) == 1:
            ((port, found),) = packets.items()
            return [(branch, {port: value}) for branch, value in found]
        filled = {port: found for port, found in packets.items() if found}
        any_will_do = self._node(name).join is Join.ANY
        if not filled or (len(filled) < len(packets) and not any_will_do):
            return []
        longest = (max if any_will_do else min)(len(found) for found in filled.values())
        rounds = [
            {port: found[number][1] for port, found in filled.items() if number < len(found)}
            for number in range(longest)
        ]
        if not self._repeats(name):
            return [((), rounds[0])]
        return [((number,), came) for number, came in enumerate(rounds)]

    def _packets(self, links: list[tuple[str, str]]) -> Packets:
        """What arrives at one in-port, ordered by branch."""
        found: Packets = []
        for ordinal, (source, port) in enumerate(links):
            mark = (ordinal,) if len(links) > 1 else ()
            sent = [((), self.value)] if not source else self._sent(source, port)
            found += [(branch + mark, value) for branch, value in sent]
        return sorted(found, key=lambda packet: packet[0])

    def _sent(self, source: str, port: str) -> Packets:
        found: Packets = []
        for branch, outputs in self._fired(source):
            if port not in outputs:
                continue
            value = outputs[port]
            if isinstance(value, Several):
                found += [((*branch, number), item) for number, item in enumerate(value)]
            elif port == MANY_PORT and self._repeats(source):
                found.append(((*branch, 0), value))
            else:
                found.append((branch, value))
        return found

    def _repeats(self, name: str) -> bool:
        """Whether the links alone allow a node to fire more than once."""
        return any(
            len(links) > 1
            or any(source and (port == MANY_PORT or self._repeats(source)) for source, port in links)
            for links in self.incoming[name].values()
        )

    def _fire(self, name: str, branch: Branch, came: dict[str, Any]) -> dict[str, Any]:
        self.interpreter.left -= 1
        if self.interpreter.left < 0:
            raise TooManyFirings
        node = self._node(name)
        firing = self.path + name + (f"#{'.'.join(map(str, branch))}" if branch else "")
        inputs = {port: came.get(port) for port in IN_PORTS}
        if not self.incoming[name]:
            inputs |= {port: self.inputs[port] for port in IN_PORTS if port in self.inputs}
        inputs |= self.interpreter.edited.get(firing, {})
        try:
            outputs = self._outputs(node, firing, inputs)
            attempts = node.retry.attempts if node.retry else 1
            if node.config.get("flaky", 0) >= attempts:
                raise Fails
        except Fails:
            self.must.fired[firing] = None
            if any(link.port == ERROR_PORT for link in node.links):
                return {ERROR_PORT: Failed()}
            self.uncaught.add(firing)
            return {}
        self.must.fired[firing] = outputs
        return outputs

    def _outputs(self, node: NodeSpec, firing: str, inputs: dict[str, Any]) -> dict[str, Any]:
        config = node.config
        behaviour = Behaviour(seed=config["seed"], fails=config.get("fails", 0))
        if node.kind != "t.caller":
            return behaviour.outputs(inputs)
        try:
            results = self._call(node, firing, behaviour.items(inputs, config["calls"]))
        except Fails:
            if not config["guarded"]:
                raise
            results = CAUGHT
        return {"x": results}

    def _call(self, node: NodeSpec, firing: str, items: list[int]) -> Any:
        """The responses of the children. Raises Fails when one of them fails."""
        feeds = [(link.node, link.to) for link in node.links if link.port == BODY_PORT]
        results, stories, failed = [], [], False
        for number, item in enumerate(items):
            roots = [name for name, _ in feeds]
            child = Process(self.interpreter, f"{firing}[{number}]/", roots, feeds=feeds, value=item)
            child.traverse()
            stories.append(child)
            results.append(child.response())
            if child.uncaught:
                failed = True
                if not node.config["together"]:
                    break
        for child in stories:
            # With calls at the same time, one failure cuts the others off.
            uncertain = bool(child.uncaught) or (failed and node.config["together"])
            (self.may if uncertain else self.must).add(child.must)
            self.may.add(child.may)
        if failed:
            raise Fails
        return results

    # --- answering ----------------------------------------------------------------

    def response(self) -> Any:
        """What the leaves contributed: nothing, one payload, or a list in link order."""
        leaves = []
        for name in self.members:
            linked = {link.port for link in self._node(name).links}
            for _, outputs in sorted(self.firings[name], key=lambda firing: firing[0]):
                sent = {port: _listed(value) for port, value in outputs.items() if value != ()}
                if sent and not any(port in linked for port in sent):
                    leaves.append(next(iter(sent.values())) if len(sent) == 1 else sent)
        return leaves[0] if len(leaves) == 1 else leaves or None

    def named(self, outputs: Mapping[str, str]) -> dict[str, Any]:
        """A flow's named result."""
        found = {}
        for field_name, reference in outputs.items():
            name, _, port = reference.partition(".")
            firings = sorted(self.firings.get(name, []), key=lambda firing: firing[0])
            sent = [_listed(outputs[port]) for _, outputs in firings if port in outputs]
            found[field_name] = sent if len(sent) > 1 else sent[0] if sent else None
        return found


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, Several) else value
