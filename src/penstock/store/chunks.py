"""Chunks: the events of one run in one commit, in their stored form.

A body is the MessagePack of `[[time, type, node, data], …]`. A chunk's first seq is kept
beside it and seqs are dense, so an event's own need not be stored. A payload of more
than 256 KiB leaves the body for a blob and comes back when the chunk is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from penstock.core.errors import PenstockError, StoreCorrupt, StoreError
from penstock.core.events import Event
from penstock.core.payload import BlobRef, Payload, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

BLOB_BYTES: Final = 256 * 1024
"""A payload whose stored form is larger than this is kept in a blob."""


class Blobs(Protocol):
    """Where the large payloads of a store go, and come from."""

    def write(self, content: bytes) -> BlobRef: ...

    def read(self, blob: BlobRef, *, fid: str) -> bytes: ...


_BY_NAME: Final = ("outputs", "inputs")
"""Fields of an event's data that map names to payloads, each of which may be large."""


def pack(fid: str, events: Sequence[Event], blobs: Blobs) -> bytes:
    """The body for these events. Raises StoreError on data that has no stored form."""
    try:
        body = encode([(event.time, event.type, event.node, event.data) for event in events])
        if len(body) > BLOB_BYTES:
            body = encode(
                [(event.time, event.type, event.node, _detach(event.data, blobs)) for event in events]
            )
    except (TypeError, ValueError, RecursionError, PenstockError) as error:
        raise _unstorable(fid, events, error) from error
    return body


def unpack(fid: str, first: int, body: bytes, blobs: Blobs) -> Iterator[Event]:
    """The events of a body, with their blobs in place. Raises StoreCorrupt."""
    try:
        rows: list[tuple[float, str, str, dict[str, Payload]]] = decode(body)
        for seq, (time, kind, node, data) in enumerate(rows, first):
            yield Event(seq, time, kind, node, _attach(data, fid, blobs))
    except (TypeError, ValueError) as error:
        raise StoreCorrupt(
            f"the events of run {fid} from {first} on cannot be read: {error}",
            fid=fid,
            remedy="restore the journal from a backup; other runs are not affected",
        ) from error


def _detach(data: dict[str, Payload], blobs: Blobs) -> dict[str, Payload]:
    def detach(value: Payload) -> Payload:
        stored = encode(value)
        return blobs.write(stored) if len(stored) > BLOB_BYTES else value

    return _map(data, detach)


def _attach(data: dict[str, Payload], fid: str, blobs: Blobs) -> dict[str, Payload]:
    for value in data.values():
        if type(value) is BlobRef or (type(value) is dict and BlobRef in map(type, value.values())):
            break
    else:
        return data

    def attach(value: Payload) -> Payload:
        return decode(blobs.read(value, fid=fid)) if type(value) is BlobRef else value

    return _map(data, attach)


def _map(data: dict[str, Payload], change: Callable[[Payload], Payload]) -> dict[str, Payload]:
    """Data with each of its payloads changed: members of `_BY_NAME` fields one by one."""
    changed: dict[str, Any] = {}
    for name, value in data.items():
        if name in _BY_NAME and isinstance(value, dict):
            changed[name] = {port: change(payload) for port, payload in value.items()}
        else:
            changed[name] = change(value)
    return changed


def _unstorable(fid: str, events: Sequence[Event], error: Exception) -> StoreError:
    for event in events:
        try:
            encode(event.data)
        except (TypeError, ValueError, RecursionError, PenstockError):
            where = f"`{event.type}` of `{event.node}`" if event.node else f"`{event.type}`"
            return StoreError(
                f"event {event.seq} of run {fid}, {where}, has no stored form: {error}",
                fid=fid,
                remedy="return payloads of plain, not too deeply nested data and well-formed text",
            )
    return StoreError(f"the events of run {fid} have no stored form: {error}", fid=fid)
