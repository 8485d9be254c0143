"""A run on a host: what can be asked of it, in both worlds."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from penstock.api import (
    Cancel,
    ChildView,
    DecisionView,
    ErrorView,
    FileView,
    GraphView,
    LockView,
    NodeView,
    ResultView,
    Retry,
    RunView,
)
from penstock.client import downloading, following, uploading
from penstock.client.effects import Items, Steps, get, post
from penstock.client.line import Line
from penstock.client.operation import listing, operation
from penstock.client.uploading import Files
from penstock.core.errors import HostError
from penstock.core.events import Event
from penstock.core.locks import DENIED
from penstock.core.payload import Error, Payload
from penstock.core.reason import Reason
from penstock.core.record import RunRecord
from penstock.core.states import RunState
from penstock.engine.outcome import cancellation_of, failure_of

Handle = TypeVar("Handle")

WAIT_SECONDS: Final = 30.0
"""How long one request waits for the end of a run; who still waits asks again."""
END_SECONDS: Final = 60.0
"""How long the nodes of a cancelled run may clean up before its client gives up on the answer."""
DECISION_SECONDS: Final = 600.0
"""How long a flow may think about a candidate before its client gives up on the answer."""


class RunOperations(Generic[Handle]):
    """A run by its id. It holds nothing open: as many as one likes cost next to nothing.

    fid: its id. view: what its host last said of it to this handle, or None.
    """

    fid: str
    view: RunView | None
    _line: Line

    def _handle(self, view: RunView) -> Handle:
        raise NotImplementedError

    @operation
    def show(self) -> Steps[RunView]:
        """The run at a glance. Raises RunNotFound, also for one that one may not see."""
        self.view = yield from self._line.fetch(RunView, get("runs", self.fid))
        return self.view

    @operation
    def state(self) -> Steps[RunState]:
        """Where it stands now. Raises RunNotFound."""
        self.view = yield from self._line.fetch(RunView, get("runs", self.fid))
        return self.view.state

    @operation
    def inputs(self) -> Steps[dict[str, Payload]]:
        """What it was launched with."""
        return (yield from self._line.fetch(dict[str, Any], get("runs", self.fid, "inputs")))

    @operation
    def result(self, *, timeout: float | None = None) -> Steps[Payload]:
        """Wait for the end and return the result; bytes in it are base64 text.

        timeout: seconds to wait at most. Raises RunFailed, RunCancelled, RunTimeout or
        NonDeterminism when it did not complete, TimeoutError when it has not ended in time,
        RunNotFound.
        """
        clock = self._line.clock
        deadline = None if timeout is None else clock.monotonic() + timeout
        while True:
            left = WAIT_SECONDS if deadline is None else max(deadline - clock.monotonic(), 0.0)
            ask = get("runs", self.fid, "result", wait=min(left, WAIT_SECONDS))
            view = yield from self._line.fetch(ResultView, ask)
            if view.state.terminal:
                return _outcome(view)
            if left <= 0:
                raise TimeoutError(f"run {self.fid} is {view.state}: it has not ended in {timeout:g} s")

    @listing
    def events(
        self, *, after: int = 0, types: Sequence[str] = (), node: str = "", follow: bool = True
    ) -> Items[Event]:
        """The events behind `after`, each once and in order, until the one that ends the run.

        types: only of these, such as `run.completed`; `node.` means all that begin so. node: only
        of this node, or of the firing with this path. follow: wait for those to come, through
        cuts of the line and restarts of the host; otherwise only those that are there.
        """
        take = following.follow if follow else following.recorded
        return take(self._line, self.fid, after=after, types=tuple(types), node=node)

    @operation
    def record(self) -> Steps[RunRecord]:
        """Everything that is known of it up to now: all its events, folded."""
        return (yield from following.fold(self._line, self.fid))

    @operation
    def children(self) -> Steps[list[ChildView]]:
        """The processes that its nodes have started."""
        return (yield from self._line.all(ChildView, get("runs", self.fid, "children")))

    @operation
    def graph(self) -> Steps[GraphView]:
        """Its nodes, with the states they are in, and the links between them."""
        return (yield from self._line.fetch(GraphView, get("runs", self.fid, "graph")))

    @operation
    def node(self, path: str) -> Steps[NodeView]:
        """One firing, with what it gave and said. Raises EntryNotFound."""
        return (yield from self._line.fetch(NodeView, get("runs", self.fid, "node", path=path)))

    @operation
    def cancel(self, reason: str = "") -> Steps[RunView]:
        """End it, and return when it has ended. An ended run stays as it is."""
        body = Cancel(reason=reason)
        ask = post("runs", self.fid, "cancel", body=body, within=END_SECONDS, repeatable=True)
        self.view = yield from self._line.fetch(RunView, ask)
        return self.view

    @operation
    def resume(self) -> Steps[RunView]:
        """Go on with it where nobody executes it. Raises RunBusy."""
        ask = post("runs", self.fid, "resume", repeatable=True)
        self.view = yield from self._line.fetch(RunView, ask)
        return self.view

    @operation
    def retry(
        self, *, from_start: bool = False, node: str = "", inputs: Mapping[str, Any] | None = None
    ) -> Steps[Handle]:
        """Run it again, as a new run that goes on from what had completed.

        from_start: take over nothing. node: take over nothing of this firing, nor of what lies
        behind it. inputs: values for in-ports of that node, in place of what came.
        Raises RunBusy for a run that has not ended.
        """
        wanted = Retry(from_start=from_start, node=node, inputs=dict(inputs or {}))
        ask = post("runs", self.fid, "retry", body=wanted)
        return self._handle((yield from self._line.fetch(RunView, ask)))

    @operation
    def locks(self) -> Steps[list[LockView]]:
        """Its locks, those that are not open any more among them."""
        return (yield from self._line.all(LockView, get("runs", self.fid, "locks")))

    @operation
    def lock(self, lid: str) -> Steps[LockView]:
        """One lock: what it asks for. Raises LockNotFound."""
        return (yield from self._line.fetch(LockView, get("runs", self.fid, "lock", lid)))

    @operation
    def submit(
        self, lid: str, value: Payload, *, files: Files | None = None, key: str = ""
    ) -> Steps[DecisionView]:
        """Submit a candidate for a lock, and return what the flow makes of it.

        files: what of the value, a mapping then, is files, or lists of files; they are uploaded first.
        key: names the candidate, so that the same one is never submitted twice; made here unless
        given. A denied one is no error: `released` is False, and the lock stays open. Raises
        CandidateInvalid when it does not fit the lock's schema, LockClosed when it comes too late,
        LockUndecided when the flow takes too long, LockNotFound.
        """
        if files:
            value = yield from uploading.with_files(self._line, value or {}, files)
        path = ("runs", self.fid, "lock", lid, "candidate")
        ask = post(*path, body=value, key=key or new_key(), within=DECISION_SECONDS)
        try:
            return (yield from self._line.fetch(DecisionView, ask))
        except HostError as error:
            if error.kind != "lock-denied":
                raise
            reasons = [Reason(detail, pointer) for pointer, detail in error.faults]
            return DecisionView(outcome=DENIED, lid=lid, fid=self.fid, reasons=reasons)

    @operation
    def files(self) -> Steps[list[FileView]]:
        """Its files: what was uploaded for it (`in/…`), and what it offers (`out/…`)."""
        return (yield from self._line.all(FileView, get("runs", self.fid, "files")))

    @operation
    def read(self, name: str) -> Steps[bytes]:
        """What one of its files holds."""
        return (yield from downloading.read(self._line, self.fid, name))

    @operation
    def download(self, name: str, to: str | Path = ".") -> Steps[Path]:
        """Write one of its files to a path, or into a folder, and return where it is.

        It is there when all of it has come. After a cut only the rest is asked for. Raises OSError.
        """
        return (yield from downloading.download(self._line, self.fid, name, to))


def new_key() -> str:
    """A key that nobody else has made."""
    return secrets.token_urlsafe(18)


def _outcome(view: ResultView) -> Payload:
    """The result of an ended run. Raises the RunError of any other end."""
    if view.state is RunState.COMPLETED:
        return view.result
    if view.state is RunState.CANCELLED:
        raise cancellation_of(view.fid, view.reason)
    raise failure_of(view.fid, _error(view.error))


def _error(view: ErrorView | None) -> Error:
    if view is None:
        return Error(code="error", message="the host does not say why")
    return Error(
        code=view.code, message=view.message, node=view.node, details=view.details, remedy=view.remedy
    )
