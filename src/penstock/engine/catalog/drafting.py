"""From documents of specs to drafts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from penstock.engine.catalog.draft import Document, Draft

if TYPE_CHECKING:
    from penstock.core.problems import Path
    from penstock.core.spec import FlowSpec, NodeSpec
    from penstock.document.reader import Examination

HEAD: Final = ("id", "namespace", "revision")
"""Fields that belong to the place of a document in a store, not to what it says."""


def draft_specs(
    examination: Examination, *, namespace: str = "", origin: str | None = None
) -> list[Draft]:
    """A draft of each spec that could be read; what is wrong goes to the findings.

    namespace: of those that name none; empty for the default one. That another is named is a
    problem. origin: where they come from; None for the file.
    """
    document, source = examination.document, examination.document.source
    specs: dict[Path, FlowSpec | NodeSpec] = {spec.at: spec for spec in document.specs}
    drafts: list[Draft] = []
    for path, data in _units(source.data):
        spec = specs.get(path)
        if spec is None:
            continue
        own = data.get("namespace") or ""
        if namespace and own and own != namespace:
            message = f"this is of the namespace `{own}`, and is applied to `{namespace}`"
            examination.findings.report(message, (*path, "namespace"), hint="name only one of them")
        drafts.append(
            Draft(
                namespace=namespace or spec.namespace,
                id=spec.id,
                name=spec.name,
                revision=data.get("revision"),
                written=_written(data, spec),
                origin=source.file if origin is None else origin,
                place=source.place(path),
            )
        )
    return drafts


def _units(data: Any) -> Iterator[tuple[Path, Document]]:
    """The mappings that are a spec each, with their paths."""
    if isinstance(data, dict):
        yield (), data
    elif isinstance(data, list):
        yield from (((index,), item) for index, item in enumerate(data) if isinstance(item, dict))


def _written(data: Document, spec: FlowSpec | NodeSpec) -> Document:
    written = {name: value for name, value in data.items() if name not in HEAD}
    if "flow" not in data and "kind" not in data and not data.get("name"):
        # A graph of nodes and connections takes its name from its id, which is kept elsewhere.
        written = {"name": spec.name, **written}
    return written
