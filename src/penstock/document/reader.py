"""Documents: text in, specs out."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, Final

import msgspec

from penstock.core.errors import DocumentError
from penstock.core.problems import Problem, nearest, suggest
from penstock.core.spec import FlowSpec, NodeSpec
from penstock.document.fields import Fields
from penstock.document.findings import Findings, describe, quote
from penstock.document.flows import is_flow, read_flow
from penstock.document.nodes import read_node
from penstock.document.scope import Scope
from penstock.document.source import Source, parse_source, place, take_data

if TYPE_CHECKING:
    import os

    from penstock.core.payload import Payload
    from penstock.core.problems import Path

LARGEST_BYTES: Final = 64 * 1024 * 1024
"""The size of the largest file that is read."""

_FORMS: Final = "write a mapping with `flow:` and `nodes:`, or a list of node specs"


class Document(msgspec.Struct, frozen=True):
    """What one file says: flows, and node specs that belong to a resident graph."""

    flows: tuple[FlowSpec, ...]
    nodes: tuple[NodeSpec, ...]
    source: Source

    @property
    def specs(self) -> tuple[FlowSpec | NodeSpec, ...]:
        """All of them."""
        return (*self.flows, *self.nodes)


class Examination(msgspec.Struct, frozen=True):
    """A document as far as it could be read, and what is wrong with it so far.

    Whoever knows more than its reader goes on from here: reports to `findings` what the
    specs have wrong with them, and raises the refusal if there is anything.
    """

    document: Document
    findings: Findings

    def refusal(self) -> DocumentError:
        """The error with every problem, placed in the text."""
        told = place(self.findings.problems, self.document.source)
        return DocumentError([*told, *self.findings.omitted()])


def read(text: str | bytes, *, file: str = "<document>") -> Document:
    """The specs in a text. `file` names it in messages, and `.json` asks for strict JSON.

    Raises DocumentError with every problem, placed.
    """
    return _accept(examine(text, file=file))


def read_file(path: str | os.PathLike[str]) -> Document:
    """The specs in a file of at most 64 MiB.

    Raises DocumentError with every problem, or with the reason that it cannot be read.
    """
    return _accept(examine_file(path))


def examine(text: str | bytes, *, file: str = "<document>") -> Examination:
    """The specs in a text as far as they can be read, with the problems of the rest.

    Raises DocumentError when the text is neither YAML nor JSON, so that there is no rest.
    """
    findings = Findings()
    return examine_source(parse_source(text, findings, file=file), findings)


def examine_data(data: Payload, *, file: str = "") -> Examination:
    """The specs in data that is parsed already: the body of a request, what a store kept.

    `file` names it in messages, which give the path of each problem and no line. Raises
    DocumentError when it holds what no document can say.
    """
    findings = Findings()
    return examine_source(take_data(data, findings, file=file), findings)


def examine_source(source: Source, findings: Findings) -> Examination:
    """The same for what was parsed; `findings` hold what its text has wrong with it."""
    findings.next_stage()
    flows, nodes = _read(source.data, findings)
    findings.next_stage()
    return Examination(Document(tuple(flows), tuple(nodes), source), findings)


def examine_file(path: str | os.PathLike[str]) -> Examination:
    """The same for a file of at most 64 MiB. Raises DocumentError when it cannot be read."""
    return examine(load(path), file=str(path))


def load(path: str | os.PathLike[str]) -> bytes:
    """What is in a file of at most 64 MiB. Raises DocumentError when it cannot be read."""
    file = FilePath(path)
    try:
        with file.open("rb") as stream:
            raw = stream.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise DocumentError([_unreadable(file, error)]) from error
    if len(raw) > LARGEST_BYTES:
        hint = f"a document has at most {LARGEST_BYTES // 1024**2} MiB; is this one?"
        raise DocumentError([_about(file, "the file is too large", hint)])
    return raw


def _accept(examination: Examination) -> Document:
    if examination.findings.problems:
        raise examination.refusal()
    return examination.document


def _read(data: Any, findings: Findings) -> tuple[list[FlowSpec], list[NodeSpec]]:
    if isinstance(data, list):
        return _read_list(data, findings)
    data = _unstamped(data, (), findings)
    if is_flow(data):
        return [read_flow(data, (), findings)], []
    if isinstance(data, dict) and "nodes" in data and not data.keys() & {"flow", "kind"}:
        from penstock.document.flow_json import read_flow_json

        return [read_flow_json(data, findings)], []
    if isinstance(data, dict) and "kind" in data:
        return _read_list([data], findings, at=())
    if isinstance(data, dict):
        near = next((key for key in data if nearest(key, ("flow", "nodes", "kind"))), None)
        hint = f"{suggest(near, ('flow', 'nodes', 'kind'))} {_FORMS}" if near else _FORMS
        findings.report("this mapping is neither a flow nor a node spec", hint=hint)
    else:
        findings.report(f"expected a flow or node specs, found {describe(data)}", hint=_FORMS)
    return [], []


def _read_list(
    data: list[Any], findings: Findings, at: tuple[()] | None = None
) -> tuple[list[FlowSpec], list[NodeSpec]]:
    flows: list[FlowSpec] = []
    nodes: list[NodeSpec] = []
    for index, value in enumerate(data):
        path = (index,) if at is None else at
        value = _unstamped(value, path, findings)
        if is_flow(value):
            flows.append(read_flow(value, path, findings))
        elif (node := read_node(value, path, findings)) is not None:
            nodes.append(node)
    if not data:
        findings.report("the list of specs is empty", hint=_FORMS)
    _check_flow_names(flows, findings)
    settled: dict[int, NodeSpec] = {}
    for namespace in dict.fromkeys(node.namespace for node in nodes):
        own = [node for node in nodes if node.namespace == namespace]
        # Other nodes of the namespace may live in the database, so a link may leave the file.
        linked = Scope(own, findings, closed=False).settle(own)
        settled |= {id(node): new for node, new in zip(own, linked, strict=True)}
    return flows, [settled[id(node)] for node in nodes]


def _unstamped(value: Any, path: Path, findings: Findings) -> Any:
    """A spec without the `revision` that it was made from, which says nothing about the spec."""
    if not isinstance(value, dict) or "revision" not in value:
        return value
    Fields(value, path, findings).whole("revision", least=0)
    return {name: item for name, item in value.items() if name != "revision"}


def _check_flow_names(flows: list[FlowSpec], findings: Findings) -> None:
    seen: set[tuple[str, str]] = set()
    for flow in flows:
        if flow.name and (flow.namespace, flow.name) in seen:
            hint = "give one of them another name"
            findings.report(f"another flow is named {quote(flow.name)}", (*flow.at, "flow"), hint=hint)
        seen.add((flow.namespace, flow.name))


def _unreadable(file: FilePath, error: OSError | ValueError) -> Problem:
    match error:
        case FileNotFoundError():
            return _about(file, "there is no such file", _neighbour(file))
        case IsADirectoryError():
            return _about(file, "this is a folder, not a file", "name a file in it")
        case PermissionError():
            return _about(file, "no permission to read the file", "check its owner and mode")
        case OSError():
            return _about(file, f"the file cannot be read: {error.strerror or error}", "")
        case _:
            return _about(file, "this cannot be the name of a file", "")


def _neighbour(file: FilePath) -> str:
    """A hint at the file that was likely meant."""
    try:
        beside = [entry.name for entry in file.parent.iterdir()]
    except OSError:
        return f"there is no folder `{file.parent}` either"
    near = nearest(file.name, beside)
    return (
        f"did you mean `{file.parent / near}`?" if near else f"the folder is `{file.parent.absolute()}`"
    )


def _about(file: FilePath, message: str, hint: str) -> Problem:
    return Problem(f"{file}: {message}", hint=hint)
