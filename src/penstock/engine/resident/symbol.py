"""Symbols: live nodes."""

from __future__ import annotations

from enum import IntEnum, StrEnum, auto
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from penstock.core.spec import Link, NodeSpec
    from penstock.engine.kind import Node
    from penstock.engine.resident.draft import Draft
    from penstock.engine.resident.linking import Verdict


class Status(StrEnum):
    """What a runtime has made of a spec.

    ACTIVE: it is loaded and can be reached. WAITING: something that it needs is not there.
    BROKEN: something is wrong with the spec itself; an earlier revision may serve on.
    """

    ACTIVE = auto()
    WAITING = auto()
    BROKEN = auto()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one spec: what `penstock get specs` shows.

    revision: the newest one. serving: the one that is active, 0 when none is. reason: why it
    waits, or what is wrong with it.
    """

    key: str
    id: str
    kind: str
    revision: int
    serving: int
    status: Status
    reason: str = ""


class Stage(IntEnum):
    """How far into its life a symbol is: what has to be undone at its end."""

    NEW = auto()
    LOADED = auto()
    HOOKED = auto()
    LIVE = auto()
    OPEN = auto()


class Symbol:
    """A node of the graph that is or was active: spec, instance and links.

    needs: the keys of everything that it cannot be active without. life: its `init` and
    `term` links.
    """

    __slots__ = ("draft", "life", "links", "needs", "stage")

    def __init__(self, draft: Draft, verdict: Verdict) -> None:
        self.stage = Stage.NEW
        self.relink(draft, verdict)

    def relink(self, draft: Draft, verdict: Verdict) -> None:
        """Take over what a change around it made of its links."""
        self.draft = draft
        self.links: tuple[Link, ...] = verdict.links
        self.life: tuple[Link, ...] = verdict.life
        self.needs = verdict.needs

    @property
    def key(self) -> str:
        return self.draft.key

    @property
    def spec(self) -> NodeSpec:
        assert self.draft.spec is not None, "only a draft with a spec becomes a symbol"
        return self.draft.spec

    @property
    def node(self) -> Node:
        assert self.draft.node is not None, "only a draft with a node becomes a symbol"
        return self.draft.node
