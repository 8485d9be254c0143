"""What can be told of specs before they are written: their kinds, configs and flows."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from penstock.core.errors import DocumentError
from penstock.core.spec import FlowSpec, NodeSpec
from penstock.document.findings import Findings
from penstock.engine.binding import Binder
from penstock.engine.compiler import compile_spec
from penstock.engine.decoding import Decoder
from penstock.engine.environment import variable_of
from penstock.engine.interface import Interface
from penstock.engine.kind import Node
from penstock.engine.resident.linking import check_links

if TYPE_CHECKING:
    from penstock.core.problems import Path, Problem
    from penstock.document.reader import Document
    from penstock.engine.flow import Flow
    from penstock.engine.scheme import Scheme

Flows = Mapping[tuple[str, str], Callable[[], FlowSpec]]
"""How to read each flow that can be called, by its namespace and name."""


class Checker:
    """Compiles specs as a runtime will, and leaves aside what only a runtime can know.

    Values are not looked up: whoever writes a spec need not have the keys to its secrets, and
    a value, like a variable of `penstock start`, a flow that is called or the target of a link,
    may come later. The runtime tells what a spec waits for.

    namespace: that of all specs, or empty for the one that each names.
    """

    def __init__(self, scheme: Scheme, *, flows: Flows, namespace: str = "") -> None:
        self._scheme = scheme
        self._flows = flows
        self._namespace = namespace

    def check(self, document: Document, findings: Findings) -> None:
        """Report what is wrong with the specs of a document."""
        for flow in document.flows:
            self._check_flow(flow, findings)
        self._check_nodes(document.nodes, findings)

    def _check_flow(self, flow: FlowSpec, findings: Findings) -> None:
        found, binder = _same_stage(findings), self._binder(flow, trail=(flow.name,))
        known = len(found.problems)
        with contextlib.suppress(DocumentError):  # its problems are in what was found
            compile_spec(flow, self._scheme, binder=binder, findings=found)
        waiting = [node.config_at for node in flow.nodes if self._may_wait(node, flow)]
        findings.adopt(_lasting(found.problems[known:], waiting if binder.missing else []))

    def _check_nodes(self, nodes: Iterable[NodeSpec], findings: Findings) -> None:
        found = _same_stage(findings)
        faces: dict[str, list[tuple[NodeSpec, Interface]]] = {}
        for node in nodes:
            known, binder = len(found.problems), self._binder(node)
            decoder = Decoder(self._scheme, binder, found, env={}, values={}, resident=True)
            face = decoder.interface(node, decoder.node(node))
            if face is not None:
                faces.setdefault(self._namespace or node.namespace, []).append((node, face))
            waits = bool(binder.missing or decoder.missing)
            findings.adopt(_lasting(found.problems[known:], [node.config_at] if waits else []))
        for own in faces.values():
            check_links(own, findings)

    def _may_wait(self, node: NodeSpec, flow: FlowSpec) -> bool:
        """Whether a node of a flow, or one inside of it, can need what is not there yet."""
        kind = self._scheme.get(node.kind)
        if node.env or flow.env or any(map(variable_of, node.config.values())):
            return True
        return kind is not None and (kind.bind is not Node.bind or kind.nest is not Node.nest)

    def _binder(self, spec: FlowSpec | NodeSpec, *, trail: tuple[str, ...] = ()) -> Binder:
        return Binder(partial(self._find, self._namespace or spec.namespace), trail=trail)

    def _find(self, namespace: str, reference: str, binder: Binder) -> Flow:
        read = self._flows.get((namespace, reference))
        if read is None:
            binder.missing.add(f"the flow `{reference}`")
            raise ValueError(f"there is no flow `{reference}`")
        inner = Binder(partial(self._find, namespace), trail=(*binder.trail, reference))
        try:
            return compile_spec(read(), self._scheme, binder=inner)
        finally:
            binder.missing |= inner.missing


def _same_stage(findings: Findings) -> Findings:
    """Findings that begin with what is known, take no consequences of it, and keep everything."""
    found = Findings(most=sys.maxsize)
    found.absorb(findings)
    found.next_stage()
    return found


def _lasting(problems: Iterable[Problem], waiting: Sequence[Path]) -> Iterator[Problem]:
    """The problems, without those that nodes at these places may only have for now."""
    for problem in problems:
        # That a field or a kind does not exist is wrong whatever comes later.
        certain = problem.at_key or problem.path[-1:] == ("kind",)
        if certain or not any(problem.path[: len(path)] == path for path in waiting):
            yield problem
