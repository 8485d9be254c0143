"""Answers into the bytes of one connection."""

from __future__ import annotations

from collections.abc import AsyncIterable, Coroutine
from typing import TYPE_CHECKING, Any

from penstock.core.errors import ClientGone
from penstock.server.codings import Encoder
from penstock.server.compression import negotiate, slices
from penstock.server.failure import misfit
from penstock.server.head import Head
from penstock.server.messages import Request, Response
from penstock.server.outflow import Outflow
from penstock.server.service import LARGE_BYTES, LOG, Service
from penstock.server.streaming import dismiss, pour

if TYPE_CHECKING:
    import asyncio


class AnswerWriter:
    """Writes answers to a transport, as their requests and the service want them."""

    __slots__ = ("_outflow", "_service", "_transport")

    def __init__(self, transport: asyncio.Transport, outflow: Outflow, service: Service) -> None:
        self._transport = transport
        self._outflow = outflow
        self._service = service

    def write(
        self, request: Request, response: Response, *, last: bool
    ) -> bool | Coroutine[Any, Any, bool]:
        """Write an answer: whether the connection can be used after it, or a coroutine of that.

        last: this is the connection's last answer, and says so.
        """
        body = response.body
        service = self._service
        if (
            isinstance(body, bytes)
            and len(body) < service.plain_below
            and not last
            and request.version == "1.1"
            and request.method != "HEAD"
        ):
            try:
                head = service.heads[response.status, tuple(response.headers)]
            except (TypeError, ValueError) as error:
                return self._write_any(request, misfit(request, error), last=last)
            if head.plain:  # nearly all of them
                start, date = head.start, service.date
                line = b"%b%bContent-Length: %d\r\n\r\n%b" % (start, date, len(body), body)
                self._transport.write(line)
                return True
        return self._write_any(request, response, last=last)

    def _write_any(
        self, request: Request, response: Response, *, last: bool
    ) -> bool | Coroutine[Any, Any, bool]:
        service, coding = self._service, ""
        if service.compresses and (
            not isinstance(response.body, bytes) or len(response.body) >= service.compress_from
        ):
            response, coding = negotiate(request, response)
        try:
            head = service.heads[response.status, tuple(response.headers)]
        except (TypeError, ValueError) as error:
            return self._write_any(request, misfit(request, error), last=last)
        last = last or head.closes
        body = response.body
        if not isinstance(body, bytes):
            return self._stream(request, head, body, coding=coding, last=last)
        if coding and len(body) >= LARGE_BYTES:
            return self._stream(request, head, slices(body), coding=coding, last=last)
        if coding:
            body = Encoder(coding).whole(body)
        empty = head.bodiless or request.method == "HEAD"
        length = head.length if empty and not body and head.length is not None else len(body)
        frame = self._frame(request, head, last=last, length=length, chunked=False)
        if empty or not body:
            self._transport.write(frame)
        elif len(body) < LARGE_BYTES:
            self._transport.write(frame + body)
        else:
            self._transport.write(frame)
            self._transport.write(body)
        return not last

    async def _stream(
        self, request: Request, head: Head, chunks: AsyncIterable[bytes], *, coding: str, last: bool
    ) -> bool:
        length = None if coding else head.length
        chunked = length is None and request.version == "1.1"
        empty = head.bodiless or request.method == "HEAD"
        if length is None and not chunked and not empty:
            last = True  # HTTP/1.0 knows no other end of such a body
        chunked = chunked and not head.bodiless
        self._transport.write(self._frame(request, head, last=last, length=length, chunked=chunked))
        if empty:
            await dismiss(chunks)
            return not last
        try:
            await pour(
                chunks, self._transport, self._outflow, coding=coding, chunked=chunked, length=length
            )
        except ClientGone:
            return False
        except Exception as error:
            # The head is out, and said that all is well: only a cut tells otherwise.
            where = f"{request.method} {request.raw_path}"
            LOG.error("the body of the answer to %s broke off", where, exc_info=error)
            self._transport.abort()
            return False
        return not last

    def _frame(
        self, request: Request, head: Head, *, last: bool, length: int | None, chunked: bool
    ) -> bytes:
        return head.frame(
            date=self._service.date, version=request.version, last=last, length=length, chunked=chunked
        )
