"""Filters: which documents are meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from penstock.core.catalog import Entry
from penstock.core.errors import DocumentError
from penstock.core.payload import Payload
from penstock.document.fields import Fields
from penstock.document.findings import Findings


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What a document must be to be meant; what is empty asks for nothing."""

    id: str = ""
    namespace: str = ""
    name: str = ""
    kind: str = ""

    def fits(self, entry: Entry, kind: str) -> bool:
        """Whether it means this one. kind: that of a spec, empty for a value."""
        return (
            self.id in ("", entry.id)
            and self.namespace in ("", entry.namespace)
            and self.name in ("", entry.name)
            and self.kind in ("", kind)
        )


def read_filters(data: Payload) -> list[Filter]:
    """The filters of a payload: one mapping, a list of them of which one must fit, or nothing for all.

    Raises DocumentError; a misspelt field would mean everything.
    """
    if data is None:
        return [Filter()]
    findings = Findings()
    filters: list[Filter] = []
    for index, item in enumerate(data) if isinstance(data, list) else [(None, data)]:
        fields = Fields.of(item, () if index is None else (index,), findings, "a filter (a mapping)")
        filters.append(Filter(**{name: fields.text(name) for name in Filter.__struct_fields__}))
        fields.close()
    if findings.problems:
        raise DocumentError(findings.problems)
    return filters


def one_namespace(filters: Sequence[Filter]) -> str | None:
    """The namespace that all filters ask for, None when there are several or any will do."""
    found = {one.namespace for one in filters}
    return next(iter(found)) or None if len(found) == 1 else None


def chosen(entries: Iterable[tuple[Entry, str]], filters: Sequence[Filter]) -> list[Entry]:
    """The entries, given with their kinds, that any of the filters means."""
    return [entry for entry, kind in entries if any(one.fits(entry, kind) for one in filters)]
