"""Kinds that fail, and those that pass on what others send."""

from __future__ import annotations

from typing import Any

from penstock import Action, Control, ControlContext, Inputs, NodeError, Outputs, Port, node
from penstock.core.policies import Join


@node("give", pure=True)
def give(value: Any = None, *, what: Any = None) -> Any:
    return value if what is None else what


@node("fail")
async def fail(value: Any = None, *, text: str = "no luck", code: str = "luck") -> None:
    raise NodeError(text, code=code, details={"value": value}, remedy="try a coin")


@node("pure.fail", pure=True)
def fail_plain(value: Any = None) -> None:
    raise ValueError("no luck")


class Gather(Action, kind="gather", pure=True):
    default_join = Join.ANY
    in_ports = {"in[]": Port()}

    def run(self, inputs: Inputs) -> Outputs:
        return {"out": list(inputs.values())}


class Within(Control, kind="within"):
    in_ports = {"in": Port(default=None)}
    out_ports = {"out": Port(call=True), "done": Port()}

    async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
        return {"done": await ctx.call("out", inputs["in"])}


KINDS = (give, fail, fail_plain, Gather, Within)
