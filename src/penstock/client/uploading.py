"""Uploads, in pieces that are sent again from where the line was cut (tus 1.0.0)."""

from __future__ import annotations

import mimetypes
from base64 import b64encode
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final

from penstock.api import UploadView
from penstock.client.effects import Answer, Ask, Steps, joined, work
from penstock.client.line import Line
from penstock.core.errors import HostAway, HostError

Source = str | Path | bytes
"""A file by its path, or what one would hold."""
Files = Mapping[str, Source | Sequence[Source]]
"""Files, or lists of files, by the names of what they are given for."""

CHUNK_BYTES: Final = 4 << 20
"""How much is sent at once; what a cut can cost."""

_TUS: Final = {"Tus-Resumable": "1.0.0"}


def with_files(line: Line, given: Mapping[str, Any], files: Files) -> Steps[dict[str, Any]]:
    """What is given, with what the host calls each file once it is uploaded. Raises as `upload`."""
    found = dict(given)
    for name, source in files.items():
        if isinstance(source, str | Path | bytes):
            found[name] = (yield from upload(line, source)).reference
            continue
        found[name] = []
        for each in source:
            found[name].append((yield from upload(line, each)).reference)
    return found


def upload(line: Line, source: Source, *, name: str = "", media_type: str = "") -> Steps[UploadView]:
    """Send a file, or bytes, to the host. What was sent in vain is sent again, and no more.

    Raises OSError when the file cannot be read, HostError when the host does not take it.
    """
    if isinstance(source, bytes):
        return (yield from _send(line, BytesIO(source), name or "data", media_type))
    path = Path(source)
    file = yield from work(lambda: path.open("rb"))
    try:
        return (yield from _send(line, file, name or path.name, media_type))
    finally:
        file.close()


def _send(line: Line, file: BinaryIO, name: str, media_type: str) -> Steps[UploadView]:
    size = yield from work(lambda: file.seek(0, 2))
    media_type = media_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
    created = yield from line.send(_creation(name, media_type, size))
    own = created.headers.get("location", "").rstrip("/").rpartition("/")[2]
    if not own:
        raise HostError("the host made an upload and did not say where", status=created.status)
    offset, failures = 0, 0
    while offset < size:
        chunk = yield from work(lambda at=offset: _read(file, at))  # type: ignore[misc]
        try:
            taken = yield from line.send(_piece(own, offset, chunk))
        except HostAway:
            failures += 1
            if not line.patient(failures):
                raise
            yield from line.wait(failures)
            taken = yield from line.send(Ask(method="HEAD", path=_path(own), headers=_TUS))
        else:
            failures = 0
        offset = _offset(taken)
    return UploadView(id=own, name=name, size_bytes=size, offset_bytes=offset, media_type=media_type)


def _read(file: BinaryIO, offset: int) -> bytes:
    file.seek(offset)
    return file.read(CHUNK_BYTES)


def _creation(name: str, media_type: str, size: int) -> Ask:
    facts = {"filename": name, "filetype": media_type}
    metadata = ",".join(f"{key} {b64encode(text.encode()).decode()}" for key, text in facts.items())
    headers = {**_TUS, "Upload-Length": str(size), "Upload-Metadata": metadata}
    # One too many is no harm: the host throws away what no run takes.
    return Ask(method="POST", path="/uploads", headers=headers)


def _piece(own: str, offset: int, chunk: bytes) -> Ask:
    headers = {
        **_TUS,
        "Upload-Offset": str(offset),
        "Content-Type": "application/offset+octet-stream",
    }
    # How much of it has come is asked for first.
    return Ask(method="PATCH", path=_path(own), headers=headers, body=chunk, repeatable=False)


def _path(own: str) -> str:
    return joined(["uploads", own])


def _offset(answer: Answer) -> int:
    text = answer.headers.get("upload-offset", "")
    if not text.isdigit():
        raise HostError("the host does not say how much of an upload has come", status=answer.status)
    return int(text)
