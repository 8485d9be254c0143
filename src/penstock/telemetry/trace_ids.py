"""Ids of traces, found from the id of a run: it stays in one trace whoever goes on with it."""

from __future__ import annotations

from hashlib import blake2b

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator


class TraceIds(RandomIdGenerator):
    """Random ids; but the trace that begins with a run has one that follows from its fid.

    next_of: the fid of the run whose trace begins next, or empty.
    """

    def __init__(self) -> None:
        self.next_of = ""

    def generate_trace_id(self) -> int:
        if not self.next_of:
            return super().generate_trace_id()
        # As good as random in all of its bits, which samplers count on.
        digest = blake2b(self.next_of.encode(), digest_size=16, person=b"penstock.trace").digest()
        return int.from_bytes(digest)
