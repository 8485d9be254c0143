"""What a node may look up while its flow is compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.core.spec import FlowSpec
    from penstock.engine.flow import Flow


class Binder:
    """Finds the flows that a flow refers to.

    folder: where relative references start, or None when the flow is no file's.
    called: what has been found so far, so that it can be kept with the flow's revision.
    found: the flows that were, in that order. wanted: every reference that was looked for, in
    the flows that were found, too. missing: what of it is not there (yet), in words.
    """

    def __init__(
        self,
        find: Callable[[str, Binder], Flow],
        *,
        folder: Path | None = None,
        known: Mapping[str, FlowSpec] | None = None,
        trail: tuple[str, ...] = (),
    ) -> None:
        self._find = find
        self.folder = folder
        self.known = dict(known or {})
        self.trail = trail
        self.called: dict[str, FlowSpec] = {}
        self.found: list[Flow] = []
        self.wanted: set[str] = set()
        self.missing: set[str] = set()

    def flow(self, reference: str) -> Flow:
        """The flow of this reference. Raises ValueError that says why there is none."""
        if reference in self.trail:
            circle = " → ".join((*self.trail[self.trail.index(reference) :], reference))
            raise ValueError(f"flows call each other in a circle: {circle}")
        self.wanted.add(reference)
        flow = self._find(reference, self)
        self.found.append(flow)
        return flow
