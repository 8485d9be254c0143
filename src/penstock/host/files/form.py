"""Forms with files: what a browser sends when somebody has chosen some."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from multipart import MultipartSegment
from starlette.datastructures import FormData, UploadFile

from penstock.host.files.multipart import parts
from penstock.host.problem import Refused

if TYPE_CHECKING:
    from starlette.requests import Request

    from penstock.host.files.upload import Upload
    from penstock.host.files.uploads import Uploads

_TEXT_BYTES: Final = 16 << 20
"""All fields that are no files, together."""


class FormUploads:
    """Makes uploads of `owner` of the files in a form."""

    def __init__(self, uploads: Uploads, owner: str) -> None:
        self._uploads = uploads
        self._owner = owner
        self._text_bytes = 0
        self.made: list[Upload] = []

    async def read(self, request: Request) -> FormData:
        """The fields of a form, with what names an upload in the place of each file.

        A field where no file was chosen is left out. Raises Refused, with status 400 or 413 for the
        form, and as `Uploads` does for a file; then there are none of its uploads.
        """
        fields: list[tuple[str, UploadFile | str]] = []
        form = parts(request)
        try:
            async for part in form:
                if not isinstance(part, MultipartSegment):
                    continue
                if part.filename is None:
                    fields.append((part.name, await self._text(form)))
                else:
                    upload = await self._file(form, part)
                    fields += [(part.name, upload.source)] if upload else []
        except BaseException:
            await self._uploads.remove(*(upload.id for upload in self.made))
            raise
        return FormData(fields)

    async def _text(self, form: AsyncIterator[MultipartSegment | bytes | None]) -> str:
        text = bytearray()
        async for piece in _content(form):
            self._text_bytes += len(piece)
            if self._text_bytes > _TEXT_BYTES:
                raise Refused(413, f"the form is longer than {_TEXT_BYTES} bytes", kind="too-large")
            text += piece
        try:
            return text.decode()
        except UnicodeDecodeError:
            raise Refused(400, "a field of the form is not UTF-8", kind="malformed-body") from None

    async def _file(
        self, form: AsyncIterator[MultipartSegment | bytes | None], part: MultipartSegment
    ) -> Upload | None:
        content = _content(form)
        first = await anext(content, b"")
        if not first and not part.filename:
            return None

        async def whole() -> AsyncIterator[bytes]:
            yield first
            async for piece in content:
                yield piece

        upload = await self._uploads.receive(
            self._owner, whole(), name=part.filename or "", media_type=part.content_type or ""
        )
        self.made.append(upload)
        return upload


async def _content(form: AsyncIterator[MultipartSegment | bytes | None]) -> AsyncIterator[bytes]:
    """The content of the part that a form is at."""
    async for piece in form:
        if piece is None:
            return
        if isinstance(piece, bytes):
            yield piece
