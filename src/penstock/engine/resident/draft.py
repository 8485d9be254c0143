"""Drafts: the documents of a namespace, decoded one by one, before they are linked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.core.errors import DocumentError, EntryNotFound
from penstock.core.payload import Payload
from penstock.core.problems import Problem, format_path, suggest
from penstock.core.spec import DEFAULT_NAMESPACE, EnvRef, FlowSpec, NodeSpec, digest
from penstock.document.reader import examine_data
from penstock.engine.binding import Binder
from penstock.engine.catalog.stored import kind_of
from penstock.engine.compiler import compile_spec
from penstock.engine.decoding import Decoder
from penstock.engine.environment import mentioned
from penstock.engine.interface import Interface

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.document.findings import Findings
    from penstock.engine.flow import Flow
    from penstock.engine.kind import Node
    from penstock.engine.scheme import Scheme


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """A document as the store has it: one spec of the namespace, at one revision.

    taken: the name that it wants, where another has it already.
    """

    id: str
    name: str
    revision: int
    document: dict[str, Any]
    taken: str = ""

    @property
    def key(self) -> str:
        """How links refer to it: its name, else its id."""
        return self.name or self.id

    @property
    def is_flow(self) -> bool:
        return self.kind == "flow"

    @property
    def kind(self) -> str:
        return kind_of(self.document)

    def triggers(self) -> Iterator[Sheet]:
        """The nodes that a flow's `triggers` stand for, each linked to the flow."""
        if not self.is_flow:
            return
        found = self.document.get("triggers") or ()
        for number, trigger in enumerate(found, start=1):
            if isinstance(trigger, dict):
                given = trigger.get("name")
                name = given if given and isinstance(given, str) else f"{self.name}-trigger-{number}"
                own = {"name": name, "namespace": self.document.get("namespace") or DEFAULT_NAMESPACE}
                document = {"links": {"out": self.name}, **trigger, **own}
                ident = f"{self.id}/{number}"
                yield Sheet(id=ident, name=name, revision=self.revision, document=document)


def distinct(documents: Iterable[Sheet]) -> list[Sheet]:
    """The sheets of these documents and of their triggers, by key, each with a key of its own.

    A document goes before a trigger that is named like it.
    """
    own = list(documents)
    found: dict[str, Sheet] = {}
    for given in (*own, *(trigger for document in own for trigger in document.triggers())):
        sheet = given
        while sheet.key in found:
            name = f"{sheet.key} ({given.id})"
            sheet = msgspec.structs.replace(sheet, name=name, taken=given.key)
        found[sheet.key] = sheet
    return [found[key] for key in sorted(found)]


class Draft:
    """What became of a sheet: a spec and its node, or what is wrong with it, or what it lacks.

    digest: equal for drafts that would run alike; it counts the values and the flows that the
    spec refers to. problems: what is wrong with the spec itself. missing: what it refers to and
    is not there, as words. secrets: what must not be shown. flows: those that its node calls.
    calls: the references of all flows that are executed with it, those that these call
    included. values: the value documents that it or one of these mentions.
    """

    __slots__ = (
        "calls", "digest", "face", "flows", "missing", "node", "problems", "secrets", "sheet",
        "spec", "values",
    )  # fmt: skip

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.spec: NodeSpec | None = None
        self.node: Node | None = None
        self.face: Interface | None = None
        self.digest = ""
        self.problems: tuple[Problem, ...] = ()
        self.missing: tuple[str, ...] = ()
        self.secrets: frozenset[str] = frozenset()
        self.flows: tuple[Flow, ...] = ()
        self.calls: frozenset[str] = frozenset()
        self.values: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        return self.sheet.key

    @property
    def wrong(self) -> str:
        """What is wrong, in one line, without what was found there when that can come from a value."""
        return "; ".join(map(self._told, self.problems))

    def _told(self, problem: Problem) -> str:
        if self.values and not problem.at_key:
            where = format_path(problem.path) or self.key
            return f"`{where}` does not fit with the values that it names"
        return str(problem).replace("\n", " ")

    def without_node(self) -> Draft:
        """The same as something that cannot be linked."""
        draft = Draft(self.sheet)
        draft.digest = self.digest
        return draft

    def with_node_of(self, earlier: Draft) -> Draft:
        """This sheet with the node of an earlier draft, if they would run alike."""
        if self.node is None or earlier.node is None or self.digest != earlier.digest:
            return self
        draft = Draft(self.sheet)
        for name in Draft.__slots__:
            if name != "sheet":
                setattr(draft, name, getattr(earlier, name))
        return draft


class Drafter:
    """Makes drafts with the kinds of a scheme, the values of a namespace, and its flows.

    ambient: variables that every spec has, whatever its own `env` says. flows: the flow specs of
    the namespace by name, as documents. outside: finds what is no flow of the namespace.
    """

    def __init__(
        self,
        scheme: Scheme,
        *,
        ambient: Mapping[str, EnvRef],
        values: Mapping[str, Payload],
        flows: Mapping[str, Sheet],
        outside: Callable[[str, Binder], Flow],
    ) -> None:
        self._scheme = scheme
        self._ambient = ambient
        self._values = values
        self._flows = flows
        self._outside = outside

    def draft(self, sheet: Sheet) -> Draft:
        """Decode one sheet. Whatever is wrong with it is in the draft."""
        draft = Draft(sheet)
        if sheet.taken:
            hint = "give one of them another name"
            draft.problems = (Problem(f"another node is named `{sheet.taken}`", ("name",), hint),)
            return draft
        binder = Binder(self.find)
        try:
            examination = examine_data(sheet.document, file=sheet.key)
            document, findings = examination.document, examination.findings
            spec = _entry(document.flows[0]) if document.flows else _only(document.nodes)
            if spec is not None:
                self._decode(draft, spec, binder, findings)
            draft.problems = tuple(findings.problems)
        except DocumentError as error:
            draft.problems = error.problems
        draft.flows = tuple(binder.found)
        draft.calls = frozenset(binder.wanted)
        called = (self._flows[name].document for name in draft.calls if name in self._flows)
        draft.values = frozenset(mentioned([sheet.document, *called]))
        draft.digest = self._digest(draft, binder)
        if draft.missing:  # what is wrong may only follow from that
            draft.problems = ()
            draft.node = None
        elif draft.problems:
            draft.node = None
        return draft

    def flow(self, name: str) -> Flow:
        """A flow of the namespace, compiled. Raises EntryNotFound and DocumentError."""
        if name not in self._flows:
            raise EntryNotFound(f"no flow is named `{name}`", remedy=suggest(name, self._flows))
        return self.find(name, Binder(self.find))

    def _decode(self, draft: Draft, spec: NodeSpec, binder: Binder, findings: Findings) -> None:
        decoder = Decoder(
            self._scheme,
            binder,
            findings,
            env=self._ambient,
            values=self._values,
            resident=True,
        )
        draft.spec = spec
        draft.node = decoder.node(spec)
        draft.face = decoder.interface(spec, draft.node)
        draft.secrets = frozenset(decoder.secrets)
        draft.missing = tuple(sorted(decoder.missing | binder.missing))

    def _digest(self, draft: Draft, binder: Binder) -> str:
        if draft.spec is None:
            return ""
        parts = [digest(draft.spec), *(digest(flow) for _, flow in sorted(binder.called.items()))]
        known = {name: self._values[name] for name in sorted(draft.values) if name in self._values}
        parts.append(msgspec.json.encode(known, order="deterministic").decode())
        parts.append(
            msgspec.json.encode({name: ref.data for name, ref in self._ambient.items()}).decode()
        )
        return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()

    def find(self, reference: str, binder: Binder) -> Flow:
        """A flow that a spec of this namespace calls: one of its own by name, or a Python flow."""
        sheet = self._flows.get(reference)
        if sheet is None:
            if ":" in reference:
                return self._outside(reference, binder)
            binder.missing.add(f"the flow `{reference}`")
            raise ValueError(f"no flow of this namespace is named `{reference}`")
        inner = Binder(self.find, trail=(*binder.trail, reference))
        examination = examine_data(sheet.document, file=sheet.key)
        (spec,) = examination.document.flows
        try:
            flow = compile_spec(
                msgspec.structs.replace(spec, env={**self._ambient, **spec.env}),
                self._scheme,
                binder=inner,
                values=self._values,
                findings=examination.findings,
            )
        finally:
            binder.missing |= inner.missing
            binder.wanted |= inner.wanted
        binder.called[reference] = flow.spec
        return flow


def _entry(flow: FlowSpec) -> NodeSpec:
    """A flow as a node of the graph: what links to it by its name runs it."""
    return NodeSpec(
        kind="flow", id=flow.id, name=flow.name, namespace=flow.namespace, config={"flow": flow.name}
    )


def _only(nodes: tuple[NodeSpec, ...]) -> NodeSpec | None:
    return nodes[0] if nodes else None
