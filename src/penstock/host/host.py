"""The host: a runtime, the flows that it serves, who may use them, and the HTTP in front."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from penstock.core.payload import Payload
from penstock.engine.catalog.specs import Specs
from penstock.host.access import Access
from penstock.host.files.attaching import Attaching
from penstock.host.files.errand import needing_room
from penstock.host.files.uploads import Uploads
from penstock.host.problem import Refused
from penstock.host.shelf import Shelf
from penstock.host.streams.following import Followings
from penstock.telemetry.telemetry import Telemetry

if TYPE_CHECKING:
    from penstock.auth import Auth, Principal
    from penstock.engine.flow import Flow
    from penstock.engine.resident.resident import Resident
    from penstock.engine.run import Run
    from penstock.engine.runtime import Runtime
    from penstock.host.files.upload import UploadLimits


class Host:
    """Serves the flows of one namespace to those who may use them.

    runtime: executes the runs; it must be open. resident: the graph of the namespace, which
    follows its flow specs. auth: who there is, and what they may do; it must be open, and
    somebody runs its `follow`. telemetry: what is known of the host's health. flows: others than
    those of the namespace. secure: whether clients come by TLS. upload_limits: what one may
    upload. retiring: the host is about to end.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        resident: Resident,
        auth: Auth,
        telemetry: Telemetry | None = None,
        flows: Iterable[Flow] = (),
        secure: bool = False,
        upload_limits: UploadLimits | None = None,
    ) -> None:
        self.runtime = runtime
        self.namespace = resident.namespace
        self.auth = auth
        self.telemetry = telemetry or Telemetry(log=None)
        self.directory = auth.directory
        self.specs = Specs(runtime.store, scheme=runtime.loader.scheme, clock=runtime.clock)
        self.shelf = Shelf(resident, flows)
        self.access = Access(auth, secure=secure)
        self.uploads = Uploads(lambda: runtime.folders.root, clock=runtime.clock, limits=upload_limits)
        self.followings = Followings(runtime)
        self.retiring = asyncio.Event()
        self._patience: set[asyncio.Timeout] = set()
        auth.directory.listen(self.followings.look)

    def retire(self) -> None:
        """End what would go on for ever: who follows a run comes again later, or elsewhere."""
        self.retiring.set()
        self.followings.retire()
        for each in self._patience:
            each.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def patience(self, seconds: float) -> AsyncIterator[None]:
        """Let an answer wait. Raises TimeoutError when it has to be given, however little is known."""
        async with asyncio.timeout(0 if self.retiring.is_set() else seconds) as limit:
            self._patience.add(limit)
            try:
                yield
            finally:
                self._patience.remove(limit)

    async def launch(
        self, principal: Principal, flow: Flow, inputs: Mapping[str, Payload], *, key: str = ""
    ) -> Run:
        """Start a run for somebody. One with this key that is there already is given instead.

        Raises Refused for an input that is a file and names no upload of theirs.
        """
        attaching = Attaching(self.uploads, principal.id, below=("inputs",))
        try:
            attached = await attaching.attach(flow.input_schema, inputs)
        except Refused:
            known = await self.runtime.store.launched(key) if key else None
            if known is None:
                raise
            return self.runtime.get(known.fid)  # which has taken the uploads
        with needing_room():
            run = await self.runtime.launch(
                flow, attached, launcher=principal.id, key=key, open_inputs=True
            )
        if run.fresh:
            await self.uploads.remove(*(upload.id for upload in attaching.taken))
        return run
