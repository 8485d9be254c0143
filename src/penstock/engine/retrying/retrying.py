"""Retries: what a new run takes over of an old one, and what it does anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.core.errors import RetryRefused
from penstock.core.payload import Payload, normalise
from penstock.core.ports import look_up
from penstock.core.problems import suggest
from penstock.engine.launching import Beginning
from penstock.engine.locks.initial import Given, given_by
from penstock.engine.retrying.behind import Behind, parts
from penstock.engine.retrying.history import History

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.core.events import Event
    from penstock.engine.flow import Flow


class Retry:
    """A retry of a run of `flow`, whose `events` end.

    node: the firing from which on everything is done anew; empty, and only what did not complete
    is. inputs: what its in-ports get in place of what arrives there. Raises RetryRefused.
    """

    def __init__(
        self,
        flow: Flow,
        fid: str,
        events: Sequence[Event],
        *,
        from_start: bool = False,
        node: str = "",
        inputs: Mapping[str, Any] | None = None,
    ) -> None:
        self._flow = flow
        self._fid = fid
        self._given = given_by(events)
        self._from_start = from_start
        self._history = History(() if from_start else events)
        self._inputs = {port: normalise(value) for port, value in (inputs or {}).items()}
        if from_start and node:
            raise self._refusal("a retry goes on from a node or from the start, not from both", "")
        if self._inputs and not node:
            remedy = "say which; other inputs for the flow itself are a run of their own"
            raise self._refusal("edited inputs are those of a node", remedy)
        self._node = self._find(node) if node else ""
        self._behind = Behind(flow, self._history, self._node) if node else None
        if self._inputs:
            self._check_inputs()

    def beginning(self, *, fid: str, launcher: str) -> Beginning:
        """What the new run begins with."""
        facts = {"retry_of": self._fid} | ({"retry_from": self._node} if self._node else {})
        return Beginning(
            fid=fid,
            given=Given(self._given.inputs, self._given.missing, edited=self._edited()),
            launcher=launcher,
            facts=facts,
            past=self._past(),
        )

    def _past(self) -> tuple[Event, ...]:
        """What completed and is not done anew, and what failed inside of that, in its order."""
        kept = {
            name: event for name, event in self._history.completed.items() if not self._is_anew(name)
        }
        failed = {
            name: event
            for name, event in self._history.failed.items()
            if any(part in kept for part in parts(name))
        }
        return tuple(sorted((kept | failed).values(), key=lambda event: event.seq))

    def _is_anew(self, name: str) -> bool:
        return self._behind is not None and self._behind.covers(name)

    def _edited(self) -> dict[str, Mapping[str, Payload]]:
        """The edits of this retry, and of the one that it repeats, as far as they still hold."""
        former = {} if self._from_start else self._given.edited
        kept = {name: ports for name, ports in former.items() if not self._is_anew(name)}
        return kept | ({self._node: self._inputs} if self._inputs else {})

    def _find(self, node: str) -> str:
        """The firing that a name means: its path, or its own name where only one has that."""
        if node in self._history:
            return node
        alike = [name for name in self._history if node in _own_names(name)]
        if len(alike) == 1:
            return alike[0]
        if alike:
            some = ", ".join(f"`{name}`" for name in alike[:5]) + (", …" if len(alike) > 5 else "")
            raise self._refusal(f"`{node}` fired {len(alike)} times: {some}", "name one of them")
        plan = getattr(self._flow, "plan", None)
        known = {vertex.name for vertex in plan.vertices} if plan is not None else set()
        if node in known:
            remedy = "retry from a node before it, or without a node: it fires when its turn comes"
            raise self._refusal(f"`{node}` did not fire in run {self._fid}", remedy, node=node)
        own = {own for name in self._history for own in _own_names(name)}
        hint = suggest(node, {*self._history, *own, *known})
        raise self._refusal(f"run {self._fid} has no node `{node}`", hint, node=node)

    def _check_inputs(self) -> None:
        """Whether there are such in-ports. What a step of a program takes, only its function knows."""
        assert self._behind is not None
        vertex = self._behind.vertex
        if vertex is not None:
            ports = vertex.node.ports()[0]
            for port in self._inputs:
                if port.endswith("[]") or look_up(ports, port) is None:
                    text = f"`{self._node}` has no in-port `{port}`"
                    raise self._refusal(text, suggest(port, ports), node=self._node, port=port)
        elif self._history.kinds.get(self._node, "step") != "step":
            kind = self._history.kinds[self._node]
            text = f"`{self._node}` is a {kind}, which takes no inputs"
            raise self._refusal(text, "edit those of a step or of a called flow", node=self._node)

    def _refusal(self, message: str, remedy: str, *, node: str = "", port: str = "") -> RetryRefused:
        return RetryRefused(message, fid=self._fid, node=node, port=port, remedy=remedy)


def _own_names(name: str) -> tuple[str, str]:
    """A firing's name without its process, and without its branch besides."""
    own = name.rpartition("/")[2]
    return own, own.partition("#")[0]
