"""Finding a flow: in a file, in a module, or in what the store kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.core.errors import DocumentError, PenstockError, SettingsError
from penstock.core.payload import Payload
from penstock.core.problems import Problem, suggest
from penstock.core.spec import FlowSpec, from_document
from penstock.document.reader import read_file
from penstock.document.source import place
from penstock.engine.binding import Binder
from penstock.engine.compiler import compile_spec
from penstock.engine.flow import Flow
from penstock.engine.pyflow import PythonFlow
from penstock.engine.scheme import Scheme, import_module


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

    def restore(self, document: dict[str, Any]) -> Flow:
        """The flow of a revision that the store kept."""
        if "reference" in document:
            return _restore_python(document)
        spec = from_document(document)
        folder = Path(document["folder"]) if "folder" in document else None
        binder = Binder(self._find, folder=folder, known=spec.called)
        return compile_spec(spec, self.scheme, binder=binder, values=self.values)

    def compile(self, spec: FlowSpec, *, folder: Path | None = None) -> Flow:
        """The flow of a spec. Raises DocumentError."""
        return compile_spec(spec, self.scheme, binder=Binder(self._find, folder=folder), values=self.values)

    def _load(self, reference: str, binder: Binder, name: str = "") -> Flow:
        module, mark, attribute = reference.rpartition(":")
        if mark and not Path(reference).exists() and attribute.replace("_", "a").isalnum():
            return _python_flow(module, attribute)
        path = (binder.folder or Path()) / reference
        if path.suffix == ".py":
            return _python_flow(str(path), "")
        document = read_file(path)
        spec = _choose(document.flows, path, name)
        inner = Binder(self._find, folder=path.parent, trail=(*binder.trail, reference))
        try:
            flow = compile_spec(spec, self.scheme, binder=inner, values=self.values)
        except DocumentError as error:
            raise DocumentError(place(error.problems, document.source)) from None
        return flow

    def _find(self, reference: str, binder: Binder) -> Flow:
        """What a `call` refers to. Raises ValueError."""
        if reference in binder.known:
            spec = binder.known[reference]
            inner = Binder(
                self._find, folder=binder.folder, known=spec.called, trail=(*binder.trail, reference)
            )
            flow: Flow = compile_spec(spec, self.scheme, binder=inner, values=self.values)
        else:
            try:
                flow = self._load(reference, binder)
            except DocumentError:
                raise
            except PenstockError as error:
                raise ValueError(f"`{reference}`: {error.message}") from error
        found = getattr(flow, "spec", None)
        if isinstance(found, FlowSpec):
            binder.called[reference] = found
        return flow


def _choose(flows: tuple[FlowSpec, ...], path: Path, name: str) -> FlowSpec:
    if name:
        for flow in flows:
            if flow.name == name:
                return flow
        raise SettingsError(
            f"{path} has no flow `{name}`", remedy=suggest(name, [flow.name for flow in flows])
        )
    if len(flows) == 1:
        return flows[0]
    if not flows:
        message = f"{path} describes a resident graph, not a flow that runs to completion"
        raise DocumentError([Problem(message, hint="a flow is a mapping that begins with `flow: NAME`")])
    names = ", ".join(flow.name for flow in flows)
    raise SettingsError(f"{path} holds several flows: {names}", remedy="say which one with --flow NAME")


def _python_flow(module: str, attribute: str) -> Flow:
    found = import_module(module)
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
