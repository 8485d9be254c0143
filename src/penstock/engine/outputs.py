"""What a node returned, checked at the edge where code hands values to the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from penstock.core.errors import PayloadError
from penstock.core.payload import SCALARS, Payload, normalise
from penstock.core.ports import Emit

if TYPE_CHECKING:
    from penstock.engine.plan import Vertex

NOTHING: Final[Mapping[str, Payload]] = {}


def checked(vertex: Vertex, outputs: Any) -> Mapping[str, Payload]:
    """What a `run` returned, as payloads by port. Raises PayloadError."""
    if outputs is None:
        return NOTHING
    if type(outputs) is not dict:
        raise PayloadError(
            f"`{vertex.kind}` returned {type(outputs).__name__}, not a mapping of ports to payloads",
            remedy='return {"out": value}, or None to send nothing',
        )
    for port, payload in outputs.items():
        if type(payload) in SCALARS:
            continue
        if type(payload) is Emit:
            if port not in vertex.many_ports:
                raise PayloadError(
                    f"`{vertex.kind}` emitted several packets on `{port}`",
                    remedy="declare the port with Port(many=True)",
                )
            outputs[port] = Emit(normalise(packet) for packet in payload)
        else:
            outputs[port] = normalise(payload)
    return outputs
