"""From documents of values to drafts. No message shows what a value holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from penstock.core.problems import suggest
from penstock.core.spec import DEFAULT_NAMESPACE, ID, NAME
from penstock.document.fields import ID_HINT, NAME_HINT, Fields
from penstock.document.nodes import read_annotations
from penstock.engine.catalog.draft import Document, Draft
from penstock.engine.catalog.stored import MASK

if TYPE_CHECKING:
    from penstock.core.problems import Path
    from penstock.document.findings import Findings
    from penstock.document.source import Source

FIELDS: Final = ("id", "name", "namespace", "annotations", "data", "revision")
_FORMS: Final = "write documents with `name` and `data`, or a mapping: the name of each, and its data"
_RESERVED: Final = "environ"
"""Stands for the environment of the process, wherever `env` refers to it."""


def draft_values(
    source: Source, findings: Findings, *, namespace: str = "", origin: str | None = None
) -> list[Draft]:
    """A draft of each value that could be read; what is wrong goes to the findings.

    namespace, origin: as for specs.
    """
    drafts: list[Draft] = []
    for path, document in _documents(source.data, findings):
        if not isinstance(document, dict):
            findings.report("this is no value document", path, hint=_FORMS)
            continue
        draft = _draft(Fields(document, path, findings), source, namespace, origin)
        if draft is not None:
            drafts.append(draft)
    return drafts


def _documents(data: Any, findings: Findings) -> Iterator[tuple[Path, Any]]:
    """The documents of a list, of one, or of a mapping by name, each with its path."""
    if isinstance(data, list):
        yield from (((index,), item) for index, item in enumerate(data))
    elif isinstance(data, dict) and len(data.keys() & set(FIELDS)) > 1:
        # A document with a mistake must not be taken for values by the names of its fields.
        yield (), data
    elif isinstance(data, dict):
        for name, held in data.items():
            yield (name,), {"name": name, "data": held}
    if not data or not isinstance(data, list | dict):
        findings.report("there are no values in it", hint=_FORMS)


def _draft(fields: Fields, source: Source, namespace: str, origin: str | None) -> Draft | None:
    findings, data = fields.findings, fields.data
    known = len(findings.problems)
    for unknown in (name for name in data if name not in FIELDS):
        fields.report(unknown, "unknown field", hint=suggest(unknown, FIELDS), at_key=True)
    texts = {name: _text(fields, name) for name in ("id", "name", "namespace")}
    own, name = texts["namespace"], texts["name"]
    if name == _RESERVED:
        hint = "it stands for the environment of the process; choose another name"
        fields.report("name", f"no value can be called `{_RESERVED}`", hint=hint)
    if namespace and own and own != namespace:
        message = f"this is of the namespace `{own}`, and is applied to `{namespace}`"
        fields.report("namespace", message, hint="name only one of them")
    if "data" not in data:
        fields.missing("data", hint=_FORMS)
    if MASK in _texts(data.get("data")):
        hint = f"`{MASK}` stands for a secret that was not shown: get it with --reveal"
        fields.report("data", "this does not say what the value holds", hint=hint)
    revision = fields.whole("revision", least=0)
    annotations = read_annotations(fields)
    if len(findings.problems) > known:
        return None
    written: Document = {"name": name} if name else {}
    if annotations:
        written["annotations"] = annotations
    return Draft(
        namespace=own or namespace or DEFAULT_NAMESPACE,
        id=texts["id"],
        name=name,
        revision=None if revision is None else int(revision),
        written=written | {"data": data["data"]},
        origin=source.file if origin is None else origin,
        place=source.place(fields.path),
    )


def _text(fields: Fields, name: str) -> str:
    value = fields.data.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        fields.report(name, "expected text", hint="put it in quotes")
        return ""
    if value and name == "id" and not ID.fullmatch(value):
        fields.report(name, "this is not an id", hint=ID_HINT)
    elif value and name != "id" and not NAME.fullmatch(value):
        fields.report(name, "this is not a name", hint=NAME_HINT)
    return value


def _texts(data: Any) -> Iterator[str]:
    stack = [data]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            stack.extend(value.values() if isinstance(value, dict) else value)
