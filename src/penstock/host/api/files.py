"""Files: what runs were given, and what they leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import quote

import msgspec
from starlette.responses import Response  # noqa: TC002 - a hint that is read

from penstock.api.files import FileView
from penstock.api.pages import Page
from penstock.api.times import moment
from penstock.core.errors import EntryNotFound
from penstock.host.api.call import Call
from penstock.host.api.operation import Operations
from penstock.host.files.download import Download
from penstock.host.files.errand import errand
from penstock.host.files.media_types import media_type
from penstock.host.files.run_files import list_files, open_file
from penstock.host.views import PREFIX

if TYPE_CHECKING:
    from penstock.core.store import RunRow
    from penstock.host.files.run_files import RunFile

files = Operations("files")

_NO_RUN: Final = {404: "No run has this id."}
_BYTES: Final = "application/octet-stream"


class FilesQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """limit: files of a page. cursor: `next` of the page before."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    cursor: str = ""


@files.get("/runs/{fid}/files", errors=_NO_RUN)
async def list_run_files(call: Call, fid: str, query: FilesQuery) -> Page[FileView]:
    """List the files of a run, by name: what it was given (`in/…`), and what it offers (`out/…`)."""
    found = [each for each in await files_of(call, await call.run(fid)) if each.name > query.cursor]
    page = found[: query.limit]
    return Page(items=page, next=page[-1].name if len(found) > len(page) else "")


@files.get(
    "/runs/{fid}/files/{name:path}",
    produces={_BYTES: ""},
    also={206: None, 304: None},
    headers={
        "Range": "Only these bytes, such as `bytes=0-99`.",
        "If-None-Match": "Not again, if the file is still the one with this ETag.",
        "If-Range": "The range only if the file is still this one; else all of it.",
    },
    errors={404: "There is no such run, or no such file.", 416: "The file has none of these bytes."},
)
async def get_run_file(call: Call, fid: str, name: str) -> Response:
    """Get a file of a run, all of it or some ranges of bytes."""
    row = await call.run(fid)
    folder = call.host.runtime.folders.of(row.fid).place
    opened = await errand(lambda: open_file(folder, name))
    if opened is None:
        raise EntryNotFound("the run has no such file", remedy="GET …/files lists those it has")
    return Download(opened, call.request)


async def files_of(call: Call, row: RunRow) -> list[FileView]:
    """All files of a run, by name."""
    folder = call.host.runtime.folders.of(row.fid).place
    return [_view(row.fid, each) for each in await errand(lambda: list_files(folder))]


def _view(fid: str, file: RunFile) -> FileView:
    return FileView(
        name=file.name,
        size_bytes=file.size_bytes,
        media_type=media_type(file.name).partition(";")[0],
        modified=moment(file.modified),
        links={"self": f"{PREFIX}/runs/{quote(fid, safe='')}/files/{quote(file.name)}"},
    )
