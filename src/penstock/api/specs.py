"""Specs on the wire: what a host's catalogue holds, and what is written to it."""

from __future__ import annotations

from typing import Any

import msgspec

from penstock.api.times import Moment


class Apply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Makes the catalogue hold these documents: all of them, or none.

    documents: flows, specs, or lists of specs. namespace: of what names none; empty for the
    host's own. prune: delete what the namespace holds besides. dry_run: write nothing.
    """

    documents: list[Any]
    namespace: str = ""
    prune: bool = False
    dry_run: bool = False


class ChangeView(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one document. action: `created`, `updated`, `unchanged` or `deleted`."""

    action: str
    id: str
    namespace: str
    name: str
    revision: int


class SpecView(msgspec.Struct, frozen=True, kw_only=True):
    """A spec of the catalogue. status: what the host says of it, with its reason."""

    id: str
    namespace: str
    name: str
    kind: str
    revision: int
    changed: Moment
    origin: str = ""
    status: str = ""
    document: dict[str, Any] = {}
