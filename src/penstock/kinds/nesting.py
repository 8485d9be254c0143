"""Kinds that hold other specs: a graph inside of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from penstock.core.ports import Port, Ports
from penstock.engine.kind import Control, Inputs, Outputs, field
from penstock.engine.nesting import NestedGraph

if TYPE_CHECKING:
    from penstock.engine.context import ControlContext
    from penstock.engine.nesting import Nesting


class _Holder(Control):
    """What both kinds have in common."""

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

    async def load(self) -> None:
        assert self.graph is not None, "a node is compiled before it is loaded"
        await self.graph.instances.load()

    async def unload(self) -> None:
        if self.graph is not None:
            await self.graph.instances.unload()

    async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
        assert self.graph is not None, "a node is compiled before it runs"
        return await ctx.call_nested(self.graph, inputs, apart=self.apart)


class Block(_Holder, kind="block", aliases=("control.block",)):
    """Hold a graph of specs that looks like one node from outside.

    The specs have names of their own: nothing outside can link to them, and they link to
    nothing outside. What they do is part of the process around them, with its transactions and
    everything else that it has open. A failure inside that no `error` port inside takes is the
    block's failure.

    Config: specs, a list of nodes; those that have no links at all run one after the other, where
    neither of the following says how they are reached. inbounds: in-port of the block → `node.port`
    inside, one or several (`in` goes to every node inside that nothing leads to). outbounds:
    out-port of the block → `node.port` inside (`out` sends the response of the graph).

    Ports: in, or those of `inbounds` → out, or those of `outbounds`.

    Example:
        flow: invoice
        nodes:
          - kind: block
            name: total
            specs:
              - {kind: snippet, language: json, code: '{"net": 100}'}
              - {kind: snippet, language: cel, code: 'self.net * 2'}
    """

    out_ports: ClassVar[Ports] = {"out": Port()}


class Step(_Holder, kind="step", aliases=("control.step",)):
    """Hold a graph of specs that runs as a child process of its own.

    It reads like a `block`. The difference is what ends with it: what its nodes open is
    closed when the step is over. A transaction that they begin commits then, or is rolled back
    when the step fails; within a transaction of the process around it, that is a savepoint.

    Config: specs, inbounds, outbounds, as for `block`.

    Ports: in, or those of `inbounds` → out, or those of `outbounds`.

    Errors: that of the node inside that failed.

    Example:
        flow: careful
        nodes:
          - kind: step
            name: look
            specs:
              - {kind: snippet, language: json, code: '[1, 2, 3]'}
              - {kind: snippet, language: cel, code: size(self)}
            links: {out: say}
          - {kind: debug.log, name: say}
    """

    apart: ClassVar[bool] = True
    out_ports: ClassVar[Ports] = {"out": Port()}
