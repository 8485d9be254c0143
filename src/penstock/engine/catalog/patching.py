"""Changing documents of a shelf in part."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from penstock.core.errors import DocumentError, StoreConflict
from penstock.core.payload import Payload
from penstock.core.spec import DEFAULT_NAMESPACE
from penstock.document.fields import Fields
from penstock.document.findings import Findings
from penstock.document.source import place, take_data
from penstock.engine.catalog.draft import Change
from penstock.engine.catalog.merging import merge
from penstock.engine.catalog.shelf import ATTEMPTS

if TYPE_CHECKING:
    from penstock.engine.catalog.shelf import Shelf


async def patch(
    shelf: Shelf,
    data: Payload,
    put: Callable[[Payload], Awaitable[list[Change]]],
    *,
    namespace: str,
    file: str,
) -> list[Change]:
    """Lay data over what is there, and `put` the outcome; again when somebody wrote meanwhile.

    Raises DocumentError, EntryNotFound for what is not there, and StoreConflict when the data
    names a revision that is not the current one.
    """
    for attempt in range(1, ATTEMPTS + 1):
        whole = await _merged(shelf, data, namespace=namespace, file=file)
        try:
            return await put(whole)
        except StoreConflict:
            if attempt == ATTEMPTS or _names_revision(data):
                raise
    raise AssertionError("the last attempt returns or raises")


async def _merged(shelf: Shelf, data: Payload, *, namespace: str, file: str) -> Payload:
    """What is there with the data laid over it: for a mapping one document, for a list each.

    Every document goes with the revision that it was read at, unless the data names one.
    """
    findings = Findings()
    source = take_data(data, findings, file=file)
    merged: list[Payload] = []
    for index, part in enumerate(data if isinstance(data, list) else [data]):
        path = (index,) if isinstance(data, list) else ()
        if not isinstance(part, dict):
            findings.expected("a part of a document (a mapping)", part, path)
            continue
        fields = Fields(part, path, findings)
        id_, name = fields.text("id"), fields.text("name") or fields.text("flow")
        own = fields.text("namespace") or namespace or DEFAULT_NAMESPACE
        if fields.lacks("id", "name", "flow"):
            fields.missing("name", hint="say which one with `id` or `name`")
        if not findings.problems:
            entry = await shelf.by_id(id_) if id_ else await shelf.one(name, namespace=own)
            merged.append(merge({**shelf.document(entry), "revision": entry.revision}, part))
    if findings.problems:
        raise DocumentError([*place(findings.problems, source), *findings.omitted()])
    return merged if isinstance(data, list) else merged[0]


def _names_revision(data: Payload) -> bool:
    parts = data if isinstance(data, list) else [data]
    return any(isinstance(part, dict) and "revision" in part for part in parts)
