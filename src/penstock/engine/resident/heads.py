"""Heads: what stands for the trigger in a recorded process, which is a flow of its own.

They are the engine's, not for documents: every scheme knows them, none lists them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from penstock.core.errors import NodeError
from penstock.core.payload import Error
from penstock.core.ports import Port, Ports
from penstock.engine.kind import Action, Control, Inputs, Node, Outputs

if TYPE_CHECKING:
    from penstock.engine.context import ControlContext


class Head(Action, kind="penstock.trigger", pure=True, normalised=True):
    """Passes on what the trigger sent."""

    in_ports: ClassVar[Ports] = {"in": Port(default=None)}
    out_ports: ClassVar[Ports] = {"out": Port()}

    def run(self, inputs: Inputs) -> Outputs:
        return {"out": inputs["in"]}


class CatchingHead(Control, kind="penstock.trigger.catch"):
    """The same for a trigger with something at its `error` port, which answers for failures."""

    in_ports: ClassVar[Ports] = {"in": Port(default=None)}
    out_ports: ClassVar[Ports] = {"out": Port(call=True), "done": Port()}

    async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
        try:
            return {"done": await ctx.call("out", inputs["in"])}
        except NodeError as error:
            return {"error": Error.from_exception(error)}


HEADS: Final[dict[str, type[Node]]] = {kind.kind: kind for kind in (Head, CatchingHead)}
