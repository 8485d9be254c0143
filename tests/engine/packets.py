"""Kinds that move packets and do nothing else."""

from __future__ import annotations

from typing import Any

from tests.engine.flows import graph
from tests.engine.watching import result_of

from penstock import Action, Control, ControlContext, Emit, Inputs, Outputs, Port, Runtime, node
from penstock.core.policies import Join


@node("give", pure=True)
def give(value: Any = None, *, what: Any = None) -> Any:
    """Send what the config says, else what came."""
    return value if what is None else what


@node("pair", pure=True)
def pair(left: Any, right: Any) -> Any:
    return [left, right]


@node("either", pure=True, outputs={"yes": Any, "no": Any})
def either(value: Any = None, *, take: str) -> dict[str, Any]:
    return {take: take}


class Gather(Action, kind="gather", pure=True):
    """A list of what came, in port order."""

    default_join = Join.ANY
    in_ports = {"in[]": Port()}

    def run(self, inputs: Inputs) -> Outputs:
        return {"out": list(inputs.values())}


class Burst(Action, kind="burst", pure=True):
    """Send each item as a packet of its own."""

    items: list[Any]
    in_ports = {"in": Port(default=None)}
    out_ports = {"out": Port(many=True)}

    def run(self, inputs: Inputs) -> Outputs:
        return {"out": Emit(self.items)}


class Within(Control, kind="within"):
    """Call `out` with what came and send the answer over `done`."""

    in_ports = {"in": Port(default=None)}
    out_ports = {"out": Port(call=True), "done": Port()}

    async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
        return {"done": await ctx.call("out", inputs["in"])}


KINDS = (give, pair, either, Gather, Burst, Within)


async def answer(runtime: Runtime, nodes: str, *, settings: str = "{}", **inputs: Any) -> Any:
    listed = "\n".join(f"  - {{{line.strip()}}}" for line in nodes.strip().splitlines())
    text = f"flow: f\nsettings: {settings}\nnodes:\n{listed}\n"
    return await result_of(await runtime.start(graph(text, *KINDS), **inputs))
