"""What a node returned, checked at the edge where code hands values to the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from penstock.core.errors import PayloadError
from penstock.core.payload import SCALARS, Payload, normalise
from penstock.core.ports import Emit, look_up
from penstock.core.problems import suggest

if TYPE_CHECKING:
    from penstock.engine.plan import Vertex

NOTHING: Final[Mapping[str, Payload]] = {}


def checked(vertex: Vertex, outputs: Any) -> Mapping[str, Payload]:
    """What a `run` returned, as payloads by port. Raises PayloadError."""
    if outputs is None:
        return NOTHING
    if type(outputs) is not dict:
        outputs = _mapping(vertex, outputs)
    replaced: dict[str, Payload] | None = None
    for port, payload in outputs.items():
        if port not in vertex.out_ports:
            _check_port(vertex, port)
        if type(payload) in SCALARS:
            continue
        # What the node returned stays as it is: it may be a constant of its own.
        replaced = dict(outputs) if replaced is None else replaced
        replaced[port] = _packets(vertex, port, payload) if type(payload) is Emit else normalise(payload)
    return outputs if replaced is None else replaced


def _mapping(vertex: Vertex, outputs: Any) -> dict[str, Payload]:
    if isinstance(outputs, Mapping):
        return dict(outputs)
    raise PayloadError(
        f"`{vertex.kind}` returned {type(outputs).__name__}, not a mapping of ports to payloads",
        remedy='return {"out": value}, or None to send nothing',
    )


def _check_port(vertex: Vertex, port: Any) -> None:
    declared = vertex.node.ports()[1]
    if port == "error" or (isinstance(port, str) and look_up(declared, port) is not None):
        return
    raise PayloadError(
        f"`{vertex.kind}` sent something on `{port}`, which is none of its out-ports",
        remedy=suggest(str(port), declared),
    )


def _packets(vertex: Vertex, port: str, packets: Emit) -> Emit:
    if port not in vertex.many_ports:
        raise PayloadError(
            f"`{vertex.kind}` emitted several packets on `{port}`",
            remedy="declare the port with Port(many=True)",
        )
    return Emit(normalise(packet) for packet in packets)
