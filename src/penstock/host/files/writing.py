"""The writing of an upload, as what a client sends comes in."""

from __future__ import annotations

from typing import BinaryIO, Final

from penstock.core.size import format_size
from penstock.host.files.errand import errand
from penstock.host.problem import Refused

_PIECE_BYTES: Final = 1 << 20
"""How much is gathered before it is written: each write is an errand."""


class Writing:
    """Adds to a file, which has `offset` bytes so far, up to `most`.

    offset: how much has come, what is gathered included.
    """

    def __init__(self, file: BinaryIO, offset: int, *, most: int) -> None:
        self.offset = offset
        self._begun_at = offset
        self._file = file
        self._most = most
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0

    async def add(self, data: bytes) -> None:
        """Raises Refused: with status 413 for more than there may be, with 507 when the disk is full."""
        if self.offset + len(data) > self._most:
            raise Refused(413, f"this file may have {format_size(self._most)}", kind="too-large")
        self.offset += len(data)
        self._gathered.append(data)
        self._gathered_bytes += len(data)
        if self._gathered_bytes >= _PIECE_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Write what is gathered."""
        if self._gathered:
            data = b"".join(self._gathered)
            self._gathered, self._gathered_bytes = [], 0
            await errand(lambda: self._write(data))

    async def undo(self) -> None:
        """Take back all that was added."""
        self._gathered, self._gathered_bytes = [], 0
        self.offset = self._begun_at
        await errand(lambda: self._file.truncate(self._begun_at))

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
