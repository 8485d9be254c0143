"""The staging folder: where uploads are until a run takes them.

Each has a folder, named by its id, with `data` and `about.json`. How much of it has come is the
size of `data`, so nothing has to be written down as it comes. Several processes may share the
folder: whoever writes holds a lock on the file. Everything here blocks.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from penstock.host.files.upload import Upload

_ID: Final = re.compile(r"[A-Za-z0-9_-]{20,64}")
_LEFT_SECONDS: Final = 3600.0
"""Nobody needs so long to make an upload or to remove it: whoever began with it was killed."""


class Staging:
    """The staging folder `root`, which is made when it is needed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def create(self, upload: Upload) -> None:
        folder = self._root / upload.id
        folder.mkdir(mode=0o700, parents=True)
        self.data(upload.id).touch(mode=0o600)
        self._describe(upload)

    def find(self, id: str) -> Upload | None:  # noqa: A002 - the field's word
        """An upload, with how much of it has come; None when there is none."""
        if not _ID.fullmatch(id):
            return None
        folder = self._root / id
        try:
            upload = msgspec.json.decode((folder / "about.json").read_bytes(), type=Upload)
            size = (folder / "data").stat().st_size
        except (FileNotFoundError, msgspec.DecodeError):  # one that is made or removed just now
            return None
        return msgspec.structs.replace(upload, offset_bytes=size)

    def all(self) -> Iterator[Upload]:
        """Every upload that is there."""
        if self._root.is_dir():
            for folder in self._root.iterdir():
                upload = self.find(folder.name)
                if upload is not None:
                    yield upload

    def data(self, id: str) -> Path:  # noqa: A002
        """Where what has come of an upload is."""
        return self._root / id / "data"

    def open(self, id: str) -> BinaryIO | None:  # noqa: A002
        """The data, to be written at its end; None while somebody else writes it.

        Raises FileNotFoundError when the upload is gone.
        """
        file = self.data(id).open("r+b", buffering=0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        file.seek(0, os.SEEK_END)
        return file

    def finish(self, upload: Upload) -> Upload:
        """All has come: it is on disk when this returns, with its digest."""
        with self.data(upload.id).open("rb") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
        finished = msgspec.structs.replace(upload, size_bytes=size, offset_bytes=size, sha256=digest)
        self._describe(finished)
        return finished

    def remove(self, id: str) -> None:  # noqa: A002
        shutil.rmtree(self._root / id, ignore_errors=True)

    def sweep(self, now: float) -> None:
        """Remove what has expired, and what was left half made or half removed."""
        if not self._root.is_dir():
            return
        for folder in self._root.iterdir():
            upload = self.find(folder.name)
            if upload is None and now - folder.stat().st_mtime > _LEFT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
            elif upload is not None and upload.expires <= now:
                self.remove(upload.id)

    def _describe(self, upload: Upload) -> None:
        about = self._root / upload.id / "about.json"
        draft = about.with_suffix(".new")
        draft.write_bytes(msgspec.json.encode(upload))
        draft.replace(about)
