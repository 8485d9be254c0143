"""From uploads to runs: inputs that name an upload become files of the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.core.errors import InputError
from penstock.core.payload import Payload
from penstock.engine.attachment import Attachment, is_file, is_file_list
from penstock.host.files.upload import SOURCE
from penstock.host.problem import Refused

if TYPE_CHECKING:
    from penstock.host.files.upload import Upload
    from penstock.host.files.uploads import Uploads


class Attaching:
    """The inputs of a launch by `owner`, with an Attachment in the place of each upload.

    Raises InputError for a file that is given in any other way: a path would let whoever
    launches read what is on this machine.
    """

    def __init__(self, uploads: Uploads, owner: str) -> None:
        self._uploads = uploads
        self._owner = owner
        self.taken: list[str] = []

    async def attach(
        self, flow: str, schema: Mapping[str, Any], inputs: Mapping[str, Payload]
    ) -> dict[str, Any]:
        """The inputs of a flow that its schema says are files, and the others as they are."""
        properties: Mapping[str, Any] = schema.get("properties", {})
        attached: dict[str, Any] = dict(inputs)
        problems: list[str] = []
        paths: list[tuple[str | int, ...]] = []
        for name, value in inputs.items():
            about = properties.get(name, {})
            if is_file(about):
                found = [(name, value)]
            elif is_file_list(about) and isinstance(value, list):
                found = list(enumerate(value))
            else:
                continue
            for place, item in found:
                try:
                    ...
                except Refused as refused:
                    problems.append(refused.message)
        return attached
