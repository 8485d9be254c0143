"""Events as browsers read them: server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from penstock.core.errors import StoreError
from penstock.server.asgi.words import CHUNKS

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from starlette.types import Receive, Scope, Send

    from penstock.host.streams.following import Following

LOG: Final = logging.getLogger("penstock.host")

MEDIA_TYPE: Final = "text/event-stream"

HEADERS: Final = {
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",  # nginx would collect what is meant for now
}

RETRY: Final = b"retry: 1000\n"
"""After a cut, the client comes again so many milliseconds later. It is sent at once, as the sign
that the stream is open, and belongs to the first frame: some clients take it for one otherwise."""

HEARTBEAT: Final = b":\n"
EOF: Final = b'event: eof\ndata: {"type":"eof"}\n\n'


async def frames(entering: AbstractContextManager[Following]) -> AsyncIterator[bytes]:
    """The bytes of a stream. An `eof` at its end says that the run has ended, too.

    entering: is entered for the first frame, and left behind the last.
    """
    with entering as following:
        yield RETRY
        whole = following.wanted.lets_all
        while not following.done:
            try:
                events = await following.take()
            except StoreError as error:
                LOG.warning("a stream is cut: %s", error)
                return
            if events:
                yield following.transcript.frames(events, whole=whole)
            elif not following.done:
                yield HEARTBEAT
        if following.over:
            yield EOF


class EventStream(Response):
    """Answers with frames as they come. It takes no task for as long as that lasts."""

    media_type = MEDIA_TYPE

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(head)
        if CHUNKS in scope.get("extensions", {}):
            await send({"type": CHUNKS, "chunks": self._chunks})
            return
        async for chunk in self._chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})
