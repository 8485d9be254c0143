"""Downloads, which go on from where the line was cut."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import IO

import msgspec

from penstock.client.effects import Answer, Ask, Next, Open, Steps, joined, work
from penstock.client.line import Line
from penstock.core.errors import HostAway


def read(line: Line, fid: str, name: str) -> Steps[bytes]:
    """A file of a run, in memory."""
    target = BytesIO()
    yield from _fetch(line, _ask(fid, name), target.write, lambda: _clear(target))
    return target.getvalue()


def download(line: Line, fid: str, name: str, to: str | Path) -> Steps[Path]:
    """A file of a run, at a path, or under its own name in a folder. Returns where it is.

    It is there when all of it has come, and not before. Raises OSError when it cannot be written.
    """
    path = Path(to)
    if (yield from work(path.is_dir)):
        path /= name.rpartition("/")[2]
    part = path.with_name(f".{path.name}.part")
    file = yield from work(lambda: part.open("wb"))
    try:
        yield from _fetch(line, _ask(fid, name), file.write, lambda: _clear(file))
        yield from work(file.close)
        yield from work(lambda: part.replace(path))
    finally:
        file.close()
        part.unlink(missing_ok=True)
    return path


def _fetch(
    line: Line, ask: Ask, write: Callable[[bytes], object], clear: Callable[[], object]
) -> Steps[None]:
    """Write everything; after a cut only what is missing, unless the file became another one."""
    offset, furthest, failures, etag = 0, 0, 0, ""
    while True:
        answer: Answer = yield from line.open(Open(_rest(ask, offset, etag)))
        if answer.status != 206 and offset:
            yield from work(clear)
            offset = 0
        etag = answer.headers.get("etag", "")
        try:
            while True:
                chunk: bytes | None = yield Next()
                if chunk is None:
                    return
                yield from work(lambda data=chunk: write(data))  # type: ignore[misc]
                offset += len(chunk)
                if offset > furthest:  # what had come before is no progress
                    furthest, failures = offset, 0
        except HostAway:
            failures += 1
            if not line.patient(failures):
                raise
            yield from line.wait(failures)


def _ask(fid: str, name: str) -> Ask:
    # As it is: what is compressed on its way cannot be cut anywhere.
    headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
    return Ask(method="GET", path=joined(["runs", fid, "files", *name.split("/")]), headers=headers)


def _rest(ask: Ask, offset: int, etag: str) -> Ask:
    if not offset or not etag or etag.startswith("W/"):
        return ask
    headers = {**ask.headers, "Range": f"bytes={offset}-", "If-Range": etag}
    return msgspec.structs.replace(ask, headers=headers)


def _clear(file: IO[bytes]) -> None:
    file.seek(0)
    file.truncate()
