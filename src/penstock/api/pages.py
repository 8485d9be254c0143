"""Lists that come in pages."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

Item = TypeVar("Item")


class Page(msgspec.Struct, Generic[Item], frozen=True, kw_only=True):
    """A part of a list. next: the cursor of the page behind it, empty on the last one."""

    items: list[Item]
    next: str = ""


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a run's stream.

    items: flat events, as `Event.to_mapping` makes them. next: what to give as `after` for the
    page behind it. eof: the last event is among them, and nothing comes behind it.
    """

    items: list[dict[str, Any]]
    next: int = 0
    eof: bool = False
