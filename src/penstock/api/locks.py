"""Locks on the wire."""

from __future__ import annotations

from typing import Any

import msgspec

from penstock.api.times import Moment
from penstock.core.locks import RELEASED, LockState
from penstock.core.reason import Reason


class LockView(msgspec.Struct, frozen=True, kw_only=True):
    """A point where a run waits for somebody's answer.

    node: the path of the firing that opened it. schema: what an answer must be, as JSON
    Schema; None where anything will do. data: what one needs to see to answer. expires: when it
    is too late, or None. state: `closed` means that its run went on, or ended, without it.
    """

    lid: str
    fid: str
    flow: str = ""
    name: str = ""
    node: str = ""
    title: str = ""
    description: str = ""
    schema: dict[str, Any] | None = None
    data: Any = None
    opened: Moment | None = None
    expires: Moment | None = None
    state: LockState = LockState.OPEN
    links: dict[str, str] = {}


class DecisionView(msgspec.Struct, frozen=True, kw_only=True):
    """What the flow made of a candidate.

    outcome: `released` or `denied`. reasons: why it was denied. value: what the lock was
    released with.
    """

    outcome: str
    lid: str
    fid: str
    reasons: list[Reason] = []
    value: Any = None

    @property
    def released(self) -> bool:
        return self.outcome == RELEASED
