"""From uploads to runs: values that name an upload become files of a run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from penstock.api.problem import Fault
from penstock.core.payload import Payload
from penstock.core.problems import Path, to_pointer
from penstock.engine.attachment import Attachment, attach
from penstock.engine.file_places import at_place, file_places, places_of, replaced
from penstock.engine.folder import GIVEN
from penstock.host.files.errand import errand
from penstock.host.files.upload import SOURCE
from penstock.host.problem import Refused

if TYPE_CHECKING:
    from pathlib import Path as FilePath

    from penstock.engine.folder import RunFolder
    from penstock.host.files.upload import Upload
    from penstock.host.files.uploads import Uploads


class Attaching:
    """Finds the uploads of `owner` among values that a schema says are files.

    below: the place of the values in the request. taken: the uploads that were found.
    """

    def __init__(self, uploads: Uploads, owner: str, *, below: Path = ()) -> None:
        self._uploads = uploads
        self._owner = owner
        self._below = below
        self._faults: list[Fault] = []
        self.taken: list[Upload] = []

    async def attach(self, schema: Mapping[str, Any], value: Payload) -> Any:
        """A value with an `Attachment` in the place of each upload.

        Raises Refused with status 422 for a file that is given in any other way: a path would let
        whoever asks read what is on this machine.
        """
        attached = value
        for place in file_places(schema, value):
            attached = replaced(attached, place, await self._attachment(at_place(value, place), place))
        if self._faults:
            raise Refused(
                422,
                self._faults[0].detail,
                kind="invalid-file",
                faults=self._faults,
                remedy=f"POST /api/v1/uploads takes a file, and `{SOURCE}ID` names it",
            )
        return attached

    async def bring(self, schema: Mapping[str, Any], value: Payload, folder: RunFolder) -> Payload:
        """A value with references in the place of uploads, which are in the folder of a run then.

        What is there already is not brought again: a repeated request is to say the same.
        """
        attached = await self.attach(schema, value)

        def bring() -> Payload:
            while True:
                there = list((folder.path / GIVEN).iterdir())
                missing: Any = attached
                for place in places_of(attached, Attachment):
                    for path in there:
                        if path.is_file() and _holds(path, at_place(attached, place)):
                            missing = replaced(missing, place, folder.refer(path))
                brought = attach(missing, taken=[path.name for path in there])
                with suppress(FileExistsError):  # somebody else was quicker with this name
                    brought.fill(folder)
                    return brought.inputs

        return await errand(bring) if self.taken else attached

    async def _attachment(self, value: Payload, place: Path) -> Attachment | None:
        try:
            upload = await self._find(value)
        except Refused as refused:
            pointer = to_pointer((*self._below, *place))
            self._faults.append(Fault(detail=refused.message, pointer=pointer))
            return None
        self.taken.append(upload)
        return Attachment(
            path=self._uploads.path(upload),
            name=upload.name,
            source=upload.source,
            sha256=upload.sha256,
            owned=True,
        )

    async def _find(self, value: Payload) -> Upload:
        if not isinstance(value, str) or not value.startswith(SOURCE):
            raise Refused(422, f"a file is named as `{SOURCE}ID`")
        upload = await self._uploads.find(self._owner, value.removeprefix(SOURCE))
        if not upload.complete:
            raise Refused(422, f"only {upload.offset_bytes} bytes of this upload have come so far")
        return upload


def _holds(path: FilePath, attachment: Attachment) -> bool:
    """Whether a file is the attachment, or has the same in it."""
    if path.stat().st_size != attachment.path.stat().st_size:
        return False
    with path.open("rb") as file:
        return path.samefile(attachment.path) or (
            hashlib.file_digest(file, "sha256").hexdigest() == attachment.sha256
        )


async def is_same(
    uploads: Uploads, owner: str, started: Mapping[str, Any], inputs: Mapping[str, Payload]
) -> bool:
    """Whether a run was launched with these inputs. Files are the same when they hold the same.

    started: what the first event of the run says.
    """
    recorded: Mapping[str, Payload] = started.get("inputs", {})
    sources: Mapping[str, Mapping[str, str]] = started.get("attached", {})

    async def alike(one: Payload, two: Payload) -> bool:
        if isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
            return all([await alike(*pair) for pair in zip(one, two, strict=True)])
        if isinstance(one, dict) and isinstance(two, dict) and one.keys() == two.keys():
            return all([await alike(one[name], two[name]) for name in one])
        source = sources.get(one) if isinstance(one, str) else None
        if source is None or not isinstance(two, str):
            return bool(one == two)
        return two == source["source"] or await holds(two, source["sha256"])

    async def holds(name: str, digest: str) -> bool:
        try:
            upload = await uploads.find(owner, name.removeprefix(SOURCE))
        except Refused:
            return False
        return upload.sha256 == digest

    return all([name in recorded and await alike(recorded[name], inputs[name]) for name in inputs])
