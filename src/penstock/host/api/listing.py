"""Lists of what is in memory, in pages by name."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Annotated, Protocol, TypeVar

import msgspec


class Named(Protocol):
    @property
    def name(self) -> str: ...


NamedT = TypeVar("NamedT", bound=Named)


class ListQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """limit: items of a page. cursor: `next` of the page before."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    cursor: str = ""


def page_of(records: Sequence[NamedT], query: ListQuery) -> tuple[Sequence[NamedT], str]:
    """A page of records that are in the order of their names, and the cursor of the next one."""
    begin = bisect_right(records, query.cursor, key=lambda record: record.name)
    page = records[begin : begin + query.limit]
    return page, page[-1].name if begin + query.limit < len(records) else ""
