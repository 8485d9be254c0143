"""Content codings: bodies that come compressed, and bodies that leave so."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable
from functools import lru_cache
from typing import Final, Protocol

from penstock.core.errors import RequestRefused

CODINGS: Final = ("br", "gzip", "deflate")

PIECE_BYTES: Final = 64 << 10
"""So much is decoded, or encoded, at a time: whatever it expands to, memory stays bounded."""

# Fast ones: an answer is made once and read once. They save most of what the best would.
_BROTLI_QUALITY: Final = 4
_ZLIB_LEVEL: Final = 5
_GZIP: Final = 16 + zlib.MAX_WBITS


class Decoder(Protocol):
    """Takes encoded bytes, and gives decoded ones in pieces of a bounded size."""

    def feed(self, data: bytes) -> None: ...

    def piece(self) -> bytes:
        """At most PIECE_BYTES; b"" when there is no more of what was fed. Raises ValueError."""
        ...

    @property
    def complete(self) -> bool: ...


class _Inflate:
    """gzip (of any number of members) and deflate (as the standard says, or raw as some send it)."""

    def __init__(self, coding: str) -> None:
        self._members = coding == "gzip"
        self._stream = zlib.decompressobj(_GZIP if self._members else zlib.MAX_WBITS)
        self._begun = False
        self._data = b""
        self._held = False  # zlib may hold output back when it has taken all the input

    def feed(self, data: bytes) -> None:
        self._data += data

    def piece(self) -> bytes:
        found = b""
        while not found and (self._data or self._held):
            if self._stream.eof and self._data:
                if not self._members:
                    raise ValueError("bytes follow the end of the data")
                self._stream = zlib.decompressobj(_GZIP)
            found = self._decompress()
            self._held = len(found) == PIECE_BYTES
            self._data = self._stream.unconsumed_tail or self._stream.unused_data
        return found

    def _decompress(self) -> bytes:
        try:
            found = self._stream.decompress(self._data, PIECE_BYTES)
        except zlib.error as error:
            if self._begun or self._members:
                raise ValueError(str(error)) from error
            self._begun = True
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
            return self._decompress()
        # The two bytes of a zlib header say whether there is one.
        self._begun = self._begun or len(self._data) > 1
        return found

    @property
    def complete(self) -> bool:
        return self._stream.eof


class _Unbrotli:
    def __init__(self) -> None:
        import brotli  # type: ignore[import-untyped]

        self._stream = brotli.Decompressor()
        self._failure = brotli.error
        self._data = b""

    def feed(self, data: bytes) -> None:
        self._data += data

    def piece(self) -> bytes:
        data = b""
        if self._stream.can_accept_more_data():
            data, self._data = self._data, b""
            if data and self._stream.is_finished():
                raise ValueError("bytes follow the end of the data")
        try:
            found: bytes = self._stream.process(data, output_buffer_limit=PIECE_BYTES)
        except self._failure as error:
            raise ValueError("not Brotli") from error
        return found

    @property
    def complete(self) -> bool:
        return bool(self._stream.is_finished()) and not self._data


def decoder(coding: str) -> Decoder:
    """The decoder for a Content-Encoding. Raises RequestRefused 415 when it is not known."""
    name = coding.strip().lower().removeprefix("x-")
    if name == "br":
        return _Unbrotli()
    if name in CODINGS:
        return _Inflate(name)
    raise RequestRefused(
        415,
        "the coding of the body is not known; see Accept-Encoding for those that are",
        headers=[("Accept-Encoding", ", ".join(CODINGS))],
    )


async def decoded(
    chunks: AsyncIterator[bytes], coding: str, limit_bytes: int | None
) -> AsyncIterator[bytes]:
    """The decoded form of what comes. Raises RequestRefused 400, 413 or 415."""
    import asyncio

    stream = decoder(coding)
    count = 0
    try:
        async for chunk in chunks:
            stream.feed(chunk)
            while found := stream.piece():
                count += len(found)
                if limit_bytes is not None and count > limit_bytes:
                    raise RequestRefused(413, f"the decoded body is larger than {limit_bytes} bytes")
                yield found
                await asyncio.sleep(0)  # a small body may be large inside: others go on meanwhile
    except ValueError as error:
        raise RequestRefused(400, f"the body cannot be decoded from {coding}") from error
    if not stream.complete:
        raise RequestRefused(400, f"the body ends before its {coding} data does")


class Encoder:
    """Makes the chunks of one body smaller, each so that the client can read it at once."""

    def __init__(self, coding: str) -> None:
        if coding == "br":
            import brotli

            stream = brotli.Compressor(quality=_BROTLI_QUALITY)
            self._feed: Callable[[bytes], bytes] = stream.process
            self._flush: Callable[[], bytes] = stream.flush
            self.finish: Callable[[], bytes] = stream.finish
        else:
            deflate = zlib.compressobj(
                _ZLIB_LEVEL, zlib.DEFLATED, _GZIP if coding == "gzip" else zlib.MAX_WBITS
            )
            self._feed = deflate.compress
            self._flush = lambda: deflate.flush(zlib.Z_SYNC_FLUSH)
            self.finish = deflate.flush

    def chunk(self, data: bytes) -> bytes:
        return self._feed(data) + self._flush()

    def whole(self, data: bytes) -> bytes:
        return self._feed(data) + self.finish()


@lru_cache(maxsize=256)
def preferred(accept_encoding: str) -> str:
    """The coding that a client likes best of ours, or "" when it wants none."""
    weights: dict[str, float] = {}
    for item in accept_encoding.lower().split(","):
        name, _, parameter = item.partition(";")
        key, _, value = parameter.strip().partition("=")
        try:
            weights[name.strip()] = float(value) if key.strip() == "q" else 1.0
        except ValueError:
            weights[name.strip()] = 0.0
    rest = weights.get("*", 0.0)
    best = max(CODINGS, key=lambda coding: weights.get(coding, rest))
    return best if weights.get(best, rest) > 0 else ""
