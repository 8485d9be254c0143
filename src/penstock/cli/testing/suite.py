"""Suites: the tests of a namespace, and the graph that each of them needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from penstock.core.errors import PenstockError
from penstock.core.graph import preorder
from penstock.core.ports import look_up
from penstock.core.problems import suggest
from penstock.document.reader import examine_data
from penstock.engine.kind import Node
from penstock.kinds.testing.trial import Trial

if TYPE_CHECKING:
    from penstock.core.payload import Payload
    from penstock.core.spec import NodeSpec
    from penstock.engine.catalog.stored import StoredSpec
    from penstock.engine.scheme import Scheme

Written = dict[str, Any]
"""A spec as it was written."""

_KEPT: Final = ("id", "name", "links", "ports", "join")
"""What a mock takes over from the spec that it stands for."""


class Suite:
    """The specs of one namespace, and the tests among them.

    tests: the keys of the test nodes, in the order of the specs.
    """

    def __init__(self, namespace: str, specs: Sequence[StoredSpec], scheme: Scheme) -> None:
        self.namespace = namespace
        self._scheme = scheme
        self._written = {spec.key: spec.document for spec in specs}
        self._names = {spec.id: spec.key for spec in specs} | {spec.key: spec.key for spec in specs}
        self._nodes: dict[str, NodeSpec] = {}
        self._flows: list[str] = []
        for spec in specs:
            document = examine_data(spec.document, file=spec.key).document
            if document.nodes:
                self._nodes[spec.key] = document.nodes[0]
            else:
                self._flows.append(spec.key)
        self.tests = [key for key, node in self._nodes.items() if scheme.get(node.kind) is Trial]

    def graph(self, test: str) -> list[Written]:
        """The specs that a test reaches, its mocks in their places, and all flows.

        Triggers are not among them: nothing links to one. Raises PenstockError for a mock of
        what the test does not reach.
        """
        edges = {key: list(self._targets(key)) for key in self._written}
        reached = preorder(edges, [test])
        written = dict(self._written[test])
        answers = self._answers(written.pop("mock", {}), reached)
        found = [written, *(self._written[key] for key in self._flows if key not in answers)]
        for key in reached:
            if key in answers:
                found.append(self._mock(key, answers[key], reached))
            elif key != test and key not in self._flows:
                found.append(self._written[key])
        return found

    def _targets(self, key: str) -> Iterator[str]:
        """The keys of what a node links to, as far as it is there."""
        node = self._nodes.get(key)
        for link in () if node is None else node.links:
            if link.node in self._names:
                yield self._names[link.node]

    def _answers(
        self, mock: Mapping[str, Payload], reached: Sequence[str]
    ) -> dict[str, dict[str, Payload]]:
        """What each node that is replaced answers, by port."""
        found: dict[str, dict[str, Payload]] = {}
        for place, answer in mock.items():
            name, _, port = place.partition(".")
            key = self._names.get(name, "")
            if key not in reached[1:]:
                raise PenstockError(
                    f"its mock `{place}` is for `{name}`, which it does not reach",
                    remedy=suggest(name, reached[1:]),
                )
            wanted = port or self._only_port(key, place)
            self._refuse_port(key, wanted, place)
            found.setdefault(key, {})[wanted] = answer
        return found

    def _refuse_port(self, key: str, port: str, place: str) -> None:
        """Raise PenstockError for a port that the node cannot have, as far as its kind tells."""
        node = self._nodes.get(key)
        kind = None if node is None else self._scheme.get(node.kind)
        if kind is None or kind.ports is not Node.ports or port == "error":
            return
        if look_up(kind.out_ports, port) is None:
            raise PenstockError(
                f"its mock `{place}` is for a port that `{kind.kind}` does not have",
                remedy=suggest(port, (*kind.out_ports, "error")),
            )

    def _only_port(self, key: str, place: str) -> str:
        """The out-port that an answer goes to when the mock names none."""
        node = self._nodes.get(key)
        ports = dict.fromkeys(link.port for link in (() if node is None else node.links))
        ports.pop("error", None)
        if not ports or "out" in ports:
            return "out"
        if len(ports) == 1:
            return next(iter(ports))
        raise PenstockError(
            f"its mock `{place}` does not say which port answers",
            remedy="name one of " + ", ".join(f"`{place}.{port}`" for port in ports),
        )

    def _mock(self, key: str, answers: Mapping[str, Payload], reached: Sequence[str]) -> Written:
        """The spec that stands for another one: it has every port that links know of."""
        written = self._written[key]
        own = self._nodes.get(key)
        arriving = (link for each in reached if each in self._nodes for link in self._nodes[each].links)
        inputs = dict.fromkeys(link.to for link in arriving if self._names.get(link.node) == key)
        outputs = dict.fromkeys(link.port for link in (() if own is None else own.links))
        kept = {
            name: written[name] for name in ("id", "name", "links", "ports", "join") if name in written
        }
        if own is None:  # a flow goes by its own word
            kept = {"id": written["id"], "name": key}
        return kept | {
            "kind": "mock",
            "answers": dict(answers),
            "inputs": [port for port in inputs if port != "in"],
            "outputs": [port for port in outputs if port not in ("out", "error", *answers)],
        }
