"""Inspectors: who is asked at every port that a packet passes, and may hold it there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.core.payload import Payload
    from penstock.engine.gate import Branch
    from penstock.engine.plan import Vertex
    from penstock.engine.process import Process


class Inspector:
    """Someone who looks into processes. Nothing is done here: override what is of interest.

    With an inspector every node goes the engine's long way, one await after the other, and no
    graph answers at once. Whatever is returned takes the place of what passed by; it has to be
    payloads. Other branches of a process, and other processes, go on meanwhile. The process
    may be cancelled while it is held.
    """

    async def sent(self, process: Process, node: str, port: str, payload: Payload) -> Payload:  # noqa: ARG002
        """A node calls: a process is about to begin with this packet.

        node: the trigger of a root process, or the firing that calls, as a path.
        """
        return payload

    async def arrived(
        self,
        process: Process,  # noqa: ARG002
        vertex: Vertex,  # noqa: ARG002
        inputs: Mapping[str, Payload],
        branch: Branch,  # noqa: ARG002
    ) -> Mapping[str, Payload]:
        """A node is about to fire with these inputs, by in-port."""
        return inputs

    async def left(
        self,
        process: Process,  # noqa: ARG002
        vertex: Vertex,  # noqa: ARG002
        outputs: Mapping[str, Payload],
        branch: Branch,  # noqa: ARG002
    ) -> Mapping[str, Payload]:
        """A node has fired, and is about to send this, by out-port; `error` is one of them."""
        return outputs
