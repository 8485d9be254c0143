"""Finding a flow: in a file, in a module, or in what the store kept of it."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from penstock.core.errors import DocumentError, PenstockError, SettingsError
from penstock.core.payload import Payload
from penstock.core.problems import Problem, suggest
from penstock.core.spec import FlowSpec, from_document
from penstock.document.findings import Findings
from penstock.document.reader import Document, Examination, examine_source
from penstock.document.reader import load as read_bytes
from penstock.document.source import parse_source, place
from penstock.engine.binding import Binder
from penstock.engine.catalog.checking import Checker
from penstock.engine.compiler import compile_spec
from penstock.engine.described import DESCRIBED, DescribedFlow
from penstock.engine.flow import Flow
from penstock.engine.references import Modules
from penstock.engine.scheme import Scheme

if TYPE_CHECKING:
    from penstock.document.source import Source
    from penstock.engine.references import Reader

DOCUMENTS: Final = (".yaml", ".yml", ".json")
"""The endings of documents in a folder of them."""


class Loader:
    """Makes flows of references, with the kinds of one scheme and one set of values.

    readers: what else can be a flow, such as crews; the first that knows something reads it.
    """

    def __init__(
        self,
        scheme: Scheme,
        *,
        values: Mapping[str, Payload] | None = None,
        readers: Sequence[Reader] = (),
    ) -> None:
        self.scheme = scheme
        self.values = dict(values or {})
        self.readers = tuple(readers)
        self._modules = Modules(self.readers)

    def load(self, reference: str | Path, *, name: str = "") -> Flow:
        """The flow of a reference: a document's path, or Python's `module:object`.

        The latter may be `file.py:object` or `package.module.Object` as well; a function that is
        named is a flow. name: which flow of a document that holds several. Raises DocumentError
        with every problem of a document, or SettingsError when there is nothing at the reference.
        """
        return self._load(str(reference), Binder(self._find), name)

    def flows_of(self, reference: str | Path) -> list[Flow]:
        """Every flow of a reference: what `load` takes, a module, a package, or a folder.

        A folder gives the flows of its documents, in the order of their names, and those of the
        package that it may be. Its other Python files have to be named: importing one runs it.
        Raises as `load` does, with the problems of all documents.
        """
        module = self._module(str(reference))
        if module is not None and module[1]:
            return [self._modules.flow(*module)]
        if module is not None:
            return self._modules.flows(module[0])
        path = Path(reference)
        if path.suffix == ".py":
            return self._modules.flows(str(path))
        return self._flows_in(path) if path.is_dir() else self._flows_of_document(path)

    def read(self, text: str | bytes, *, file: str, folder: Path | None = None, name: str = "") -> Flow:
        """The flow of a document's text. Raises as `load` does.

        file: names the text in messages. folder: where the files that it calls are looked for.
        """
        return self._read(text, file, Binder(self._find, folder=folder), name)

    def check(self, path: str | Path) -> Document | Flow:
        """The document at a path, when all that it holds can be compiled; a crew's is its flow.

        A resident graph is checked as it is before it is written to the store: its flows call each
        other by name, and what is not there may come later. Raises DocumentError with every
        problem of every flow and node.
        """
        findings = Findings()
        source = parse_source(read_bytes(path), findings, file=str(path))
        reader = self._reader(source)
        if reader is not None:
            return _from_reader(reader, source, findings)
        examination = examine_source(source, findings)
        document = examination.document
        if document.nodes:
            flows = {(flow.namespace, flow.name): partial(_itself, flow) for flow in document.flows}
            Checker(self.scheme, flows=flows).check(document, findings)
        else:
            binder = Binder(self._find, folder=Path(path).parent, trail=(str(path),))
            for flow in document.flows:
                with contextlib.suppress(DocumentError):  # the findings hold what it says
                    self._compile(flow, binder, findings)
        if findings.problems:
            raise examination.refusal()
        return document

    def restore(self, document: dict[str, Any], *, values: Mapping[str, Payload] | None = None) -> Flow:
        """The flow of a revision that the store kept.

        values: those of its namespace; the loader's own win over them.
        """
        if DESCRIBED in document:
            return DescribedFlow.restore(document)
        for reader in self.readers:
            if reader.source in document:
                return reader.restore(document)
        if "reference" in document:
            return self._modules.restore(document)
        spec = from_document(document)
        folder = Path(document["folder"]) if "folder" in document else None
        own = self
        if values is not None:
            own = Loader(self.scheme, values={**values, **self.values}, readers=self.readers)
        return own._compile(spec, Binder(own._find, folder=folder, known=spec.called))

    def compile(self, spec: FlowSpec, *, folder: Path | None = None) -> Flow:
        """The flow of a spec. Raises DocumentError."""
        return self._compile(spec, Binder(self._find, folder=folder))

    def _load(self, reference: str, binder: Binder, name: str = "") -> Flow:
        module = self._module(reference)
        if module is not None:
            return self._modules.flow(*module)
        path = (binder.folder or Path()) / reference
        if path.suffix == ".py":
            return self._modules.flow(str(path))
        if binder.trail and _may_wait(path):
            raise SettingsError(f"`{reference}` is not a file", remedy="name the document of a flow")
        inner = Binder(self._find, folder=path.parent, trail=(*binder.trail, reference))
        return self._read(read_bytes(path), str(path), inner, name)

    def _module(self, reference: str) -> tuple[str, str] | None:
        """The module and the attribute that a reference to Python code names, if it is one."""
        # A Path raises for what no file can be called.
        if os.path.exists(reference):  # noqa: PTH110
            return None
        module, mark, attribute = reference.rpartition(":")
        if mark:
            named = attribute.replace(".", "_").replace("_", "a").isalnum()
            return (module, attribute) if named else None
        if reference.endswith((".py", *DOCUMENTS)):
            return None
        return self._modules.dotted(reference)

    def _flows_of_document(self, path: Path) -> list[Flow]:
        findings = Findings()
        source = parse_source(read_bytes(path), findings, file=str(path))
        reader = self._reader(source)
        if reader is not None:
            return [_from_reader(reader, source, findings)]
        examination = examine_source(source, findings)
        binder = Binder(self._find, folder=path.parent, trail=(str(path),))
        found: list[Flow] = []
        for spec in examination.document.flows:
            with contextlib.suppress(DocumentError):  # the findings hold what it says
                found.append(self._compile(spec, binder, findings))
        if findings.problems:
            raise examination.refusal()
        return found

    def _flows_in(self, folder: Path) -> list[Flow]:
        found: list[Flow] = []
        problems: list[Problem] = []
        for path in sorted(folder.iterdir()):
            if path.suffix in DOCUMENTS and not path.name.startswith(".") and path.is_file():
                try:
                    found += self._flows_of_document(path)
                except DocumentError as error:
                    problems += error.problems
        if problems:
            raise DocumentError(problems)
        if (folder / "__init__.py").is_file():
            found += self._modules.flows_of_package(folder)
        return found

    def _read(self, text: str | bytes, file: str, binder: Binder, name: str) -> Flow:
        findings = Findings()
        source = parse_source(text, findings, file=file)
        reader = self._reader(source)
        if reader is not None:
            return _from_reader(reader, source, findings)
        return self._choose(examine_source(source, findings), binder, name)

    def _reader(self, source: Source) -> Reader | None:
        return next((reader for reader in self.readers if reader.reads(source.data)), None)

    def _choose(self, examination: Examination, binder: Binder, name: str) -> Flow:
        """One flow of a document. Raises DocumentError with what is wrong, whoever found it."""
        spec = _the_flow(examination, name)
        try:
            return self._compile(spec, binder, examination.findings)
        except DocumentError:
            raise examination.refusal() from None

    def _compile(self, spec: FlowSpec, binder: Binder, findings: Findings | None = None) -> Flow:
        return compile_spec(spec, self.scheme, binder=binder, values=self.values, findings=findings)

    def _find(self, reference: str, binder: Binder) -> Flow:
        """What a `call` refers to: part of a revision that is kept, or found outside."""
        if reference in binder.known:
            spec = binder.known[reference]
            trail = (*binder.trail, reference)
            inner = Binder(self._find, folder=binder.folder, known=spec.called, trail=trail)
            flow = self._compile(spec, inner)
        else:
            flow = self.find(reference, binder)
        found = getattr(flow, "spec", None)
        if isinstance(found, FlowSpec):
            binder.called[reference] = found
        return flow

    def find(self, reference: str, binder: Binder) -> Flow:
        """The flow of a file or module that another flow refers to.

        Raises ValueError when there is no such flow, DocumentError when its document is wrong.
        """
        try:
            return self._load(reference, binder)
        except DocumentError as error:
            if any(problem.place for problem in error.problems):
                raise
            # There is no document to point into, so the caller is where to look.
            about = [f"{problem.message}; {problem.hint}".strip("; ") for problem in error.problems]
            raise ValueError("; ".join(about)) from error
        except PenstockError as error:
            raise ValueError(f"`{reference}`: {error.message}") from error


def _from_reader(reader: Reader, source: Source, findings: Findings) -> Flow:
    if findings.problems:
        raise DocumentError([*place(findings.problems, source), *findings.omitted()])
    return reader.of_document(source)


def _itself(flow: FlowSpec) -> FlowSpec:
    return flow


def _may_wait(path: Path) -> bool:
    """Whether reading could take for ever: of a pipe, or of a terminal."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)


def _the_flow(examination: Examination, name: str) -> FlowSpec:
    """The flow of this name, or the only one. Raises DocumentError or SettingsError."""
    document, findings = examination.document, examination.findings
    flows = [flow for flow in document.flows if not name or flow.name == name]
    if len(flows) == 1:
        return flows[0]
    if not document.flows and not findings.problems:
        hint = "a flow is a mapping that begins with `flow: NAME`"
        findings.report("this is a resident graph, not a flow that runs to completion", hint=hint)
    if findings.problems:
        raise examination.refusal()
    names = [flow.name for flow in document.flows]
    file = document.source.file
    if name:
        raise SettingsError(f"{file} has no flow `{name}`", remedy=suggest(name, names))
    raise SettingsError(
        f"{file} holds several flows: {', '.join(names)}", remedy="say which one with --flow NAME"
    )
