"""Finding a flow: in a file, in a module, or in what the store kept of it."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core.errors import DocumentError, PenstockError, SettingsError
from penstock.core.payload import Payload
from penstock.core.problems import suggest
from penstock.core.spec import FlowSpec, from_document
from penstock.document.findings import Findings
from penstock.document.reader import Document, Examination, examine, examine_file
from penstock.engine.binding import Binder
from penstock.engine.catalog.checking import Checker
from penstock.engine.compiler import compile_spec
from penstock.engine.flow import Flow
from penstock.engine.pyflow import PythonFlow
from penstock.engine.scheme import Scheme, import_module

if TYPE_CHECKING:
    from types import ModuleType


class Loader:
    """Makes flows of references, with the kinds of one scheme and one set of values."""

    def __init__(self, scheme: Scheme, *, values: Mapping[str, Payload] | None = None) -> None:
        self.scheme = scheme
        self.values = dict(values or {})

    def load(self, reference: str | Path, *, name: str = "") -> Flow:
        """The flow of a reference: a document's path, `module:object` or `file.py:object`.

        name: which flow of a document that holds several. Raises DocumentError with every
        problem of a document, or SettingsError when there is nothing at the reference.
        """
        return self._load(str(reference), Binder(self._find), name)

    def read(self, text: str | bytes, *, file: str, folder: Path | None = None, name: str = "") -> Flow:
        """The flow of a document's text. Raises as `load` does.

        file: names the text in messages. folder: where the files that it calls are looked for.
        """
        return self._choose(examine(text, file=file), Binder(self._find, folder=folder), name)

    def check(self, path: str | Path) -> Document:
        """The document at a path, when all that it holds can be compiled.

        A resident graph is checked as it is before it is written to the store: its flows call each
        other by name, and what is not there may come later. Raises DocumentError with every
        problem of every flow and node.
        """
        examination = examine_file(path)
        document, findings = examination.document, examination.findings
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
        if "reference" in document:
            return _restore_python(document)
        spec = from_document(document)
        folder = Path(document["folder"]) if "folder" in document else None
        own = self if values is None else Loader(self.scheme, values={**values, **self.values})
        return own._compile(spec, Binder(own._find, folder=folder, known=spec.called))

    def compile(self, spec: FlowSpec, *, folder: Path | None = None) -> Flow:
        """The flow of a spec. Raises DocumentError."""
        return self._compile(spec, Binder(self._find, folder=folder))

    def _load(self, reference: str, binder: Binder, name: str = "") -> Flow:
        module, mark, attribute = reference.rpartition(":")
        # A Path raises for what no file can be called.
        if mark and not os.path.exists(reference) and attribute.replace("_", "a").isalnum():  # noqa: PTH110
            return _python_flow(module, attribute)
        path = (binder.folder or Path()) / reference
        if path.suffix == ".py":
            return _python_flow(str(path), "")
        if binder.trail and _may_wait(path):
            raise SettingsError(f"`{reference}` is not a file", remedy="name the document of a flow")
        inner = Binder(self._find, folder=path.parent, trail=(*binder.trail, reference))
        return self._choose(examine_file(path), inner, name)

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


def _python_flow(module: str, attribute: str) -> Flow:
    found = _imported(module)
    flows = {name: item for name, item in vars(found).items() if isinstance(item, PythonFlow)}
    if not attribute:
        own = {name: item for name, item in flows.items() if item.function.__module__ == found.__name__}
        if len(own) == 1:
            return next(iter(own.values()))
        names = ", ".join(f"{module}:{name}" for name in own) or "none: make one with @flow"
        raise SettingsError(f"`{module}` holds {len(own)} flows", remedy=f"say which one: {names}")
    item = getattr(found, attribute, None)
    if isinstance(item, PythonFlow):
        return item
    if item is None:
        raise SettingsError(f"`{module}` has no `{attribute}`", remedy=suggest(attribute, flows))
    raise SettingsError(
        f"`{module}:{attribute}` is a {type(item).__name__}, not a flow", remedy="decorate it with @flow"
    )


def _imported(module: str) -> ModuleType:
    """The module of a flow. Raises SettingsError, whatever its code raises."""
    try:
        return import_module(module)
    except PenstockError:
        raise
    except Exception as error:
        raise SettingsError(
            f"importing `{module}` failed: {type(error).__name__}: {error}",
            remedy="correct it; with --debug the traceback is shown",
        ) from error


def _restore_python(document: Mapping[str, Any]) -> Flow:
    module, _, attribute = document["reference"].partition(":")
    if module == "__main__" or not _importable(module):
        module = document["file"] or module
    return _python_flow(module, attribute)


def _importable(module: str) -> bool:
    from importlib.util import find_spec

    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
