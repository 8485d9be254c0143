"""Blobs: large payloads, in files named by their content."""

from __future__ import annotations

import hashlib
import os
import secrets
from typing import TYPE_CHECKING

from penstock.core.errors import StoreCorrupt
from penstock.core.payload import BlobRef

if TYPE_CHECKING:
    from pathlib import Path


class BlobFolder:
    """`ab/cdef…`: the BLAKE2b-256 of the content, in hexadecimal, two digits as a folder.

    A name never gets another content, so writers need no lock, and an equal payload is
    kept once. What a failed commit leaves behind is a file that nothing refers to.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, content: bytes) -> BlobRef:
        """Keep content; it is on disk when this returns. Raises OSError."""
        digest = hashlib.blake2b(content, digest_size=32).hexdigest()
        path = self.path(digest)
        for folder in (self._root, path.parent):
            if not folder.is_dir():
                folder.mkdir(exist_ok=True)
                _sync_folder(folder.parent)
        if not (path.is_file() and path.stat().st_size == len(content)):
            _write_whole(path, content)
        # A file that was there already may be another writer's who has not come to this line.
        _sync_folder(path.parent)
        return BlobRef(digest, len(content))

    def read(self, blob: BlobRef, *, fid: str) -> bytes:
        """The content. Raises StoreCorrupt, which names the run, when it is not intact."""
        path = self.path(blob.digest)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise _damaged(path, fid, "is missing") from None
        if hashlib.blake2b(content, digest_size=32).hexdigest() != blob.digest:
            raise _damaged(path, fid, "does not hold what was written")
        return content

    def path(self, digest: str) -> Path:
        return self._root / digest[:2] / digest[2:]


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file that is either there completely or not at all, even after a crash."""
    part = path.with_name(f"{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Put the folder's entries on disk: a file's own fsync does not cover its name."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _damaged(path: Path, fid: str, what: str) -> StoreCorrupt:
    return StoreCorrupt(
        f"a payload of run {fid} cannot be read: its file `{path}` {what}",
        fid=fid,
        remedy="restore the file from a backup; other runs are not affected",
    )
