"""Holders: nodes that a graph of specs stands behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from penstock.core.ports import Port, Ports
from penstock.engine.kind import Control, Inputs, Outputs, field
from penstock.engine.nesting import NestedGraph

if TYPE_CHECKING:
    from penstock.engine.context import ControlContext
    from penstock.engine.nesting import Nesting


class Holder(Control):
    """The base of kinds that hold a graph of specs.

    apart: whether it runs as a child process, which ends with it.
    """

    specs: list[dict[str, Any]]
    inbounds: dict[str, Any] = field(default_factory=dict)
    outbounds: dict[str, Any] = field(default_factory=dict)
    graph: NestedGraph | None = field(init=False, default=None)

    apart: ClassVar[bool] = False
    in_ports: ClassVar[Ports] = {"in": Port(default=None)}

    def nest(self, nesting: Nesting) -> None:
        self.graph = nesting.graph(self.specs, inbounds=self.inbounds, outbounds=self.outbounds)

    def ports(self) -> tuple[Ports, Ports]:
        assert self.graph is not None, "the ports are known when the specs are compiled"
        return self.graph.in_ports, self.graph.out_ports

    def inside(self, node: str) -> str:
        """The path that leads the names of what fires inside, for a firing of this node."""
        return f"{node}[0]/" if self.apart else f"{node}/"

    async def load(self) -> None:
        assert self.graph is not None, "a node is compiled before it is loaded"
        await self.graph.instances.load()

    async def unload(self) -> None:
        if self.graph is not None:
            await self.graph.instances.unload()

    async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
        assert self.graph is not None, "a node is compiled before it runs"
        return await ctx.call_nested(self.graph, inputs, apart=self.apart)
