"""A host: what can be asked of it, in both worlds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from penstock.api import FlowView, Launch, LockView, RunView, UploadView
from penstock.client import uploading
from penstock.client.effects import Items, Steps, get, post
from penstock.client.line import Line
from penstock.client.operation import listing, operation
from penstock.client.runs import new_key
from penstock.client.uploading import Files, Source
from penstock.core.errors import InputError
from penstock.core.states import RunState

if TYPE_CHECKING:
    from datetime import datetime

Handle = TypeVar("Handle")

LAUNCH_SECONDS: Final = 60.0
"""The longest that a launch may wait for its result."""


class HostOperations(Generic[Handle]):
    """Flows, runs, locks and files of a host."""

    _line: Line

    def run(self, fid: str) -> Handle:
        """The handle of a run. Nothing is asked for it: whether there is one shows later."""
        raise NotImplementedError

    def _handle(self, view: RunView) -> Handle:
        raise NotImplementedError

    @listing
    def flows(self, *, tag: str = "") -> Items[FlowView]:
        """The flows that it serves, by name. tag: only those that have it."""
        return self._line.pages(FlowView, get("flows", tag=tag))

    @operation
    def flow(self, name: str) -> Steps[FlowView]:
        """One flow: what it wants, and what it gives. Raises EntryNotFound."""
        return (yield from self._line.fetch(FlowView, get("flows", name)))

    @operation
    def launch(
        self,
        flow: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        files: Files | None = None,
        key: str = "",
        wait: float = 0.0,
    ) -> Steps[Handle]:
        """Start a run of a flow. Returns when it is on disk there, so that nothing can lose it.

        files: inputs that are files, or lists of files, by name; they are uploaded first. key:
        names this launch, so that it happens once however often it is asked for; made here unless
        given. wait: seconds to wait for the end, up to 60; then `view` of the handle says how it
        ended. Inputs that are not sufficient open a lock of the run, which asks for the rest.
        Raises EntryNotFound, InputError, HostError.
        """
        given = yield from uploading.with_files(self._line, inputs or {}, files or {})
        body = Launch(inputs=given)
        ask = post(
            "flows", flow, "runs", body=body, key=key or new_key(), wait=min(wait, LAUNCH_SECONDS)
        )
        try:
            view = yield from self._line.fetch(RunView, ask)
        except InputError as error:
            error.flow = flow
            raise
        return self._handle(view)

    @listing
    def runs(
        self,
        *,
        flow: str = "",
        states: Sequence[RunState | str] = (),
        launcher: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        before: str = "",
        page: int = 100,
    ) -> Items[RunView]:
        """Runs, newest first, as long as one goes on taking them.

        flow, states, launcher: only of these. since, until: only those that started at or after
        the one, and before the other. before: only those behind this fid. page: how many are
        asked for at once.
        """
        ask = get(
            "runs",
            flow=flow,
            state=[str(state) for state in states],
            launcher=launcher,
            since=since and since.isoformat(),
            until=until and until.isoformat(),
            cursor=before,
            limit=page,
        )
        return self._line.pages(RunView, ask)

    @operation
    def inbox(self) -> Steps[list[LockView]]:
        """The open locks that one may release, of all runs."""
        return (yield from self._line.all(LockView, get("locks")))

    @operation
    def upload(self, source: Source, *, name: str = "", media_type: str = "") -> Steps[UploadView]:
        """Send a file, or bytes; `reference` of what is returned is what inputs call it.

        It is sent in pieces; after a cut, from what has come. Raises OSError when it cannot be read.
        """
        return (yield from uploading.upload(self._line, source, name=name, media_type=media_type))
