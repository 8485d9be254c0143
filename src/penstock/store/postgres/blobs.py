"""Blobs: large payloads, in rows named by their content."""

from __future__ import annotations

import hashlib

from penstock.core.errors import StoreCorrupt
from penstock.core.payload import BlobRef


class BlobBag:
    """The blobs of some chunks, on their way to the database or from it: digest → content."""

    def __init__(self, contents: dict[str, bytes] | None = None) -> None:
        self.contents = {} if contents is None else contents

    def write(self, content: bytes) -> BlobRef:
        """Take content along."""
        digest = hashlib.blake2b(content, digest_size=32).hexdigest()
        self.contents[digest] = content
        return BlobRef(digest, len(content))

    def read(self, blob: BlobRef, *, fid: str) -> bytes:
        """The content. Raises StoreCorrupt, which names the run, when it is not intact."""
        content = self.contents.get(blob.digest)
        if content is None:
            raise _damaged(fid, blob, "is missing")
        if hashlib.blake2b(content, digest_size=32).hexdigest() != blob.digest:
            raise _damaged(fid, blob, "does not hold what was written")
        return content


def _damaged(fid: str, blob: BlobRef, what: str) -> StoreCorrupt:
    return StoreCorrupt(
        f"a payload of run {fid} cannot be read: the blob {blob.digest} {what}",
        fid=fid,
        remedy="restore the table `blobs` from a backup; other runs are not affected",
    )
