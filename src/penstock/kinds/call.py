"""`call`: a flow inside a flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from penstock.core.payload import Payload
from penstock.core.ports import Port, Ports
from penstock.engine.kind import Control, Inputs, Outputs, field

if TYPE_CHECKING:
    from penstock.engine.binding import Binder
    from penstock.engine.context import ControlContext
    from penstock.engine.flow import Flow


class Call(Control, kind="call"):
    """Run another flow as a child of this run, and send its result.

    flow: a document's path, relative to the document that says it, or `module:function`
    for a Python flow. inputs: the flow's inputs; a mapping that arrives at `in` adds to
    them, key by key. What the flow is made of is kept with the revision of the calling
    flow, so a later change of the file does not disturb runs that have begun.

    Ports: in (a mapping of inputs, or nothing) → out (the flow's result). A failure inside
    is this node's failure.

    Example:
        flow: greet_all
        nodes:
          - kind: call
            name: greet
            flow: hello.yaml
            inputs: {name: Ada}
    """

    flow: str
    inputs: dict[str, Payload] = field(default_factory=dict)
    in_ports: ClassVar[Ports] = {"in": Port(dict | None, "inputs of the called flow", default=None)}
    out_ports: ClassVar[Ports] = {"out": Port(doc="what the called flow returned")}

    def bind(self, binder: Binder) -> None:
        self._flow: Flow = binder.flow(self.flow)

    async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
        given = inputs["in"] if isinstance(inputs["in"], dict) else {}
        known = self._flow.input_schema.get("properties", {})
        arrived = {name: value for name, value in given.items() if name in known}
        return {"out": await ctx.call_flow(self._flow, {**self.inputs, **arrived})}
