"""Uploads: files that are sent before a launch, or an answer to a lock, names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from penstock.api.files import UploadView
from penstock.api.times import moment
from penstock.auth import Permission
from penstock.core.errors import ClientGone
from penstock.host.api.body import MULTIPART, media_type
from penstock.host.api.call import Call
from penstock.host.api.operation import Operations, Reply
from penstock.host.files import tus
from penstock.host.files.form import FormUploads
from penstock.host.problem import Refused
from penstock.host.views import PREFIX

if TYPE_CHECKING:
    from penstock.host.files.upload import Upload

uploads = Operations("files")

_UPLOAD: Final = "/uploads/{id}"
_NO_UPLOAD: Final = {404: "There is no such upload.", 410: "It has expired."}
_VERSION: Final = {412: "It is of another version of tus."}
_SENT: Final[dict[int, str]] = {
    409: "More or less has come than the request says.",
    413: "The file is too large, or too many wait for a run.",
    415: "The body is of another type.",
    423: "Another request sends it just now.",
    tus.CHECKSUM_MISMATCH: "What came is not what the checksum says.",
    507: "The host has no room for it.",
}
_TUS: Final = {"Tus-Resumable": "The version of tus: 1.0.0."}
_OFFSET: Final = {"Upload-Offset": "How much has come before."}
_CHECKSUM: Final = {
    "Upload-Checksum": "`sha1` or `sha256`, a blank, and the digest of the body in base64."
}
_CREATION: Final = {
    **_TUS,
    "Upload-Length": "How long the file is, in bytes.",
    "Upload-Metadata": "`filename` and `filetype`, each with a blank and its text in base64.",
    **_CHECKSUM,
}


@uploads.declare("OPTIONS", "/uploads", open=True, status=204)
async def describe_uploads(call: Call) -> Reply[None]:
    """Tell what the host can do of tus, the protocol of uploads that can be resumed."""
    return Reply(None, 204, tus.options(call.host.uploads.limits.file_bytes))


@uploads.post(
    "/uploads",
    status=201,
    consumes=(MULTIPART, tus.CONTENT),
    headers=_CREATION,
    errors={400: "The form, or a header, is malformed.", **_VERSION, **_SENT},
)
async def create_upload(call: Call) -> Reply[UploadView]:
    """Upload a file: as a form with one file, or by tus 1.0.0, where it can be resumed.

    A launch names it as `upload:ID` where an input is a file. Until then nobody else finds it.
    """
    require_use(call)
    if tus.speaks(call.request.headers):
        return await _create(call)
    if media_type(call.request) != MULTIPART:
        raise Refused(415, f"send {MULTIPART}, or speak tus", kind="media-type")
    form = FormUploads(call.host.uploads, call.principal.id)
    await form.read(call.request)
    if len(form.made) != 1:
        await call.host.uploads.remove(*(each.id for each in form.made))
        raise Refused(422, f"the form has {len(form.made)} files; send one", kind="invalid-body")
    return _created(form.made[0])


@uploads.declare("HEAD", _UPLOAD, headers=_TUS, errors={**_NO_UPLOAD, **_VERSION})
async def measure_upload(call: Call, id: str) -> Response:  # noqa: A002 - of the path
    """Tell how much of an upload has come."""
    with tus.spoken(call.request.headers):
        upload = await call.host.uploads.find(call.principal.id, id)
        return Response(headers=dict((*tus.state(upload), *tus.facts(upload))))


@uploads.get(_UPLOAD, errors=_NO_UPLOAD)
async def show_upload(call: Call, id: str) -> UploadView:  # noqa: A002
    """Show an upload."""
    return _view(await call.host.uploads.find(call.principal.id, id))


@uploads.patch(
    _UPLOAD,
    status=204,
    consumes=(tus.CONTENT,),
    headers={**_TUS, **_OFFSET, **_CHECKSUM},
    errors={400: "A header is malformed.", **_NO_UPLOAD, **_VERSION, **_SENT},
)
async def continue_upload(call: Call, id: str) -> Reply[None]:  # noqa: A002
    """Send more of an upload. What comes stays, however the request ends."""
    headers = call.request.headers
    with tus.spoken(headers):
        upload = await call.host.uploads.find(call.principal.id, id)
        _require_content(call)
        upload = await _receive(call, upload, tus.number(headers, "upload-offset"))
        return Reply(None, 204, tus.state(upload))


@uploads.delete(_UPLOAD, status=204, errors=_NO_UPLOAD)
async def delete_upload(call: Call, id: str) -> Reply[None]:  # noqa: A002
    """Throw an upload away."""
    upload = await call.host.uploads.find(call.principal.id, id)
    await call.host.uploads.remove(upload.id)
    return Reply(None, 204, (("Tus-Resumable", tus.VERSION),))


@uploads.post(
    _UPLOAD,
    status=204,
    consumes=(tus.CONTENT,),
    headers={**_TUS, "X-HTTP-Method-Override": "PATCH or DELETE.", **_OFFSET, **_CHECKSUM},
    errors={
        400: "A header is malformed.", 405: "It is overridden by no other method.",
        **_NO_UPLOAD, **_VERSION, **_SENT,
    },
)  # fmt: skip
async def override_upload(call: Call, id: str) -> Reply[None]:  # noqa: A002
    """Do what PATCH or DELETE does, where a client cannot send these."""
    method = call.request.headers.get("x-http-method-override", "").upper()
    overridden: Any = {"PATCH": continue_upload, "DELETE": delete_upload}.get(method)
    if overridden is None:
        text = "say PATCH or DELETE as X-HTTP-Method-Override"
        raise Refused(405, text, kind="method", headers=(("Allow", "HEAD, GET, PATCH, DELETE"),))
    reply: Reply[None] = await overridden(call, id)
    return reply


def require_use(call: Call) -> None:
    """Take files only of those who can do something with them. Raises Refused with status 403."""
    allowed = (Permission.LAUNCH, Permission.OPERATE)
    names = [served.name for served in call.host.shelf]
    if not any(call.may(permission, flow=name) for name in names for permission in allowed):
        call.forbid("the permission `launch` on a flow")


async def _create(call: Call) -> Reply[UploadView]:
    headers = call.request.headers
    with tus.spoken(headers):
        size = tus.number(headers, "upload-length")
        said = tus.metadata(headers)
        upload = await call.host.uploads.create(
            call.principal.id,
            name=said.get("filename", ""),
            media_type=said.get("filetype", ""),
            size_bytes=size,
        )
        if "content-type" in headers:
            _require_content(call)
            upload = await _receive(call, upload, 0)
        return _created(upload, tus.state(upload))


async def _receive(call: Call, upload: Upload, offset: int) -> Upload:
    """Take what a request has of an upload."""
    checksum = tus.checksum(call.request.headers)
    async with call.host.uploads.writing(upload, offset) as writing:
        try:
            async for piece in call.request.stream():
                await writing.add(piece)
                if checksum is not None:
                    checksum.hasher.update(piece)
            if checksum is not None:
                checksum.require()
        except (Refused, ClientDisconnect, ClientGone):
            if checksum is not None:  # it counts as a whole or not at all
                await writing.undo()
            raise
    return await call.host.uploads.completed(upload, writing.offset)


def _require_content(call: Call) -> None:
    if media_type(call.request) != tus.CONTENT:
        raise Refused(415, f"the body is sent as {tus.CONTENT}", kind="media-type")


def _created(upload: Upload, headers: tus.Pairs = ()) -> Reply[UploadView]:
    view = _view(upload)
    return Reply(view, 201, (("Location", view.links["self"]), *headers))


def _view(upload: Upload) -> UploadView:
    return UploadView(
        id=upload.id,
        name=upload.name,
        size_bytes=upload.size_bytes or 0,
        offset_bytes=upload.offset_bytes,
        media_type=upload.media_type,
        sha256=upload.sha256,
        expires=moment(upload.expires),
        links={"self": f"{PREFIX}/uploads/{upload.id}"},
    )
