"""Uploads: files that clients send before a run takes them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import msgspec

from penstock.core.size import format_size
from penstock.engine.attachment import safe_name
from penstock.host.files.errand import errand
from penstock.host.files.staging import Staging
from penstock.host.files.upload import Upload, UploadLimits, new_id
from penstock.host.files.writing import Writing
from penstock.host.problem import Refused

if TYPE_CHECKING:
    from penstock.core.clock import Clock, Timer

FOLDER: Final = ".uploads"
"""The staging folder, beside the folders of runs: a run takes a file over by a link."""

SWEEP_SECONDS: Final = 600.0


class Uploads:
    """The uploads of a host. Within `async with`, what has expired is swept away.

    root: of the folders of runs; it is asked for when the first upload comes.
    """

    def __init__(
        self, root: Callable[[], Path], *, clock: Clock, limits: UploadLimits | None = None
    ) -> None:
        self._root = root
        self._clock = clock
        self.limits = limits or UploadLimits()
        self._timer: Timer | None = None
        self._sweeps: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._sweep()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.gather(*self._sweeps)

    async def create(
        self, owner: str, *, name: str, media_type: str = "", size_bytes: int | None = None
    ) -> Upload:
        """Make room for a file. Raises Refused with status 413 for one too large, or one too many."""
        if size_bytes is not None and size_bytes > self.limits.file_bytes:
            most = format_size(self.limits.file_bytes)
            raise Refused(413, f"a file may have {most} here", kind="too-large")
        await self._require_room(owner, size_bytes or 0)
        now = self._clock.now()
        upload = Upload(
            id=new_id(),
            owner=owner,
            name=safe_name(name),
            media_type=media_type[:200] or "application/octet-stream",
            created=now,
            expires=now + self.limits.seconds,
            size_bytes=size_bytes,
        )
        await errand(lambda: self._staging.create(upload))
        return await self._finish(upload) if size_bytes == 0 else upload

    async def receive(
        self, owner: str, content: AsyncIterator[bytes], *, name: str, media_type: str = ""
    ) -> Upload:
        """Take a file that comes at once. One that does not come whole leaves nothing behind."""
        upload = await self.create(owner, name=name, media_type=media_type)
        try:
            async with self.writing(upload, 0) as writing:
                async for piece in content:
                    await writing.add(piece)
            return await self._finish(upload)
        except BaseException:
            await self.remove(upload.id)
            raise

    async def find(self, owner: str, id: str) -> Upload:  # noqa: A002 - the field's word
        """An upload of this owner. Raises Refused with status 404, or 410 when it has expired."""
        upload = await errand(lambda: self._staging.find(id))
        if upload is None or upload.owner != owner:
            raise _unknown()
        if upload.expires <= self._clock.now():
            raise Refused(410, "this upload has expired", kind="upload-expired", remedy="send it again")
        return upload

    def path(self, upload: Upload) -> Path:
        """Where the file is."""
        return self._staging.data(upload.id)

    async def remove(self, *ids: str) -> None:
        """Throw uploads away; those that are gone are gone."""
        for each in ids:
            await errand(lambda: self._staging.remove(each))  # noqa: B023 - awaited at once

    @asynccontextmanager
    async def writing(self, upload: Upload, offset: int) -> AsyncIterator[Writing]:
        """Go on with an upload behind its first `offset` bytes.

        At the end of this section what was written is there, however it ends. Raises Refused: with
        409 when that is not how much has come, with 423 while somebody else sends it.
        """
        try:
            file = await errand(lambda: self._staging.open(upload.id))
        except FileNotFoundError:
            raise _unknown() from None
        if file is None:
            raise Refused(423, "another request sends this file just now", kind="upload-locked")
        with contextlib.closing(file):
            come = file.tell()
            if come != offset:
                raise Refused(
                    409, f"{come} bytes have come, not {offset}", kind="upload-offset",
                    remedy="go on where the upload is: HEAD tells its Upload-Offset",
                )  # fmt: skip
            most = self.limits.file_bytes if upload.size_bytes is None else upload.size_bytes
            writing = Writing(file, offset, most=most)
            try:
                yield writing
            finally:
                await writing.flush()

    async def completed(self, upload: Upload, offset: int) -> Upload:
        """The upload when so many bytes have come; complete, if those are all."""
        upload = msgspec.structs.replace(upload, offset_bytes=offset)
        return await self._finish(upload) if offset == upload.size_bytes else upload

    async def _finish(self, upload: Upload) -> Upload:
        return await errand(lambda: self._staging.finish(upload))

    async def _require_room(self, owner: str, size_bytes: int) -> None:
        def waiting() -> list[int]:
            own = (each for each in self._staging.all() if each.owner == owner)
            return [max(each.offset_bytes, each.size_bytes or 0) for each in own]

        sizes = await errand(waiting)
        too_many = len(sizes) >= self.limits.owner_count
        if too_many or sum(sizes) + size_bytes > self.limits.owner_bytes:
            raise Refused(
                413,
                f"{len(sizes)} uploads of yours, {format_size(sum(sizes))} together, wait for a run "
                "already",
                kind="upload-quota",
                remedy="launch the runs that they are for, delete some, or wait until they expire",
            )

    @property
    def _staging(self) -> Staging:
        return Staging(self._root() / FOLDER)

    def _sweep(self) -> None:
        self._timer = self._clock.call_later(SWEEP_SECONDS, self._sweep)
        task = asyncio.create_task(self.sweep(), name="penstock:uploads")
        self._sweeps.add(task)
        task.add_done_callback(self._sweeps.discard)

    async def sweep(self) -> None:
        """Remove what has expired."""
        now = self._clock.now()
        with contextlib.suppress(OSError):  # what cannot be removed now can be the next time
            await asyncio.to_thread(lambda: self._staging.sweep(now))


def _unknown() -> Refused:
    return Refused(
        404,
        "there is no such upload",
        kind="upload-not-found",
        remedy="it may have expired: send it again",
    )
