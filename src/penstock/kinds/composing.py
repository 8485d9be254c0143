"""Kinds that run several branches as one: side by side, or one after the other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from penstock.core.ports import Port, Ports
from penstock.engine.kind import Control, Inputs, Outputs

if TYPE_CHECKING:
    from penstock.engine.context import ControlContext


class Fork(Control, kind="fork", aliases=("control.fork",)):
    """Give the payload to several branches at the same time, and send their responses.

    Each branch is a process of its own. The first failure cancels the others.

    Ports: in → out[i], all called with the payload, and then done, the list of their
    responses in the order of the ports.

    Errors: that of the branch that failed.

    Example:
        flow: both
        nodes:
          - {kind: snippet, name: number, language: json, code: '12', links: {out: fork}}
          - {kind: fork, name: fork, links: {"out[0]": half, "out[1]": twice}}
          - {kind: snippet, name: half, language: cel, code: self / 2}
          - {kind: snippet, name: twice, language: cel, code: self * 2}
    """

    requires_call: ClassVar[bool] = True
    in_ports: ClassVar[Ports] = {"in": Port(doc="what every branch gets", default=None)}
    out_ports: ClassVar[Ports] = {
        "out[]": Port(doc="called with the payload", call=True),
        "done": Port(list, "the responses"),
    }

    async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
        payload = inputs["in"]
        ports = ctx.linked_family("out[]")
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(ctx.call(port, payload, key=number), name=f"fork-{port}")
                    for number, port in enumerate(ports)
                ]
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return {"done": [task.result() for task in tasks]}


class Pipe(Control, kind="pipe", aliases=("control.pipe",)):
    """Run branches one after the other, each with the response of the one before.

    Ports: in → out[0], called with the payload, then out[1], called with its response, and
    so on; then done, the last response.

    Errors: that of the branch that failed.

    Example:
        flow: steps
        nodes:
          - {kind: snippet, name: start, language: json, code: '3', links: {out: pipe}}
          - {kind: pipe, name: pipe, links: {"out[0]": add, "out[1]": square}}
          - {kind: snippet, name: add, language: cel, code: self + 1}
          - {kind: snippet, name: square, language: cel, code: self * self}
    """

    requires_call: ClassVar[bool] = True
    in_ports: ClassVar[Ports] = {"in": Port(doc="what the first branch gets", default=None)}
    out_ports: ClassVar[Ports] = {
        "out[]": Port(doc="called one after the other", call=True),
        "done": Port(doc="the last response"),
    }

    async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
        payload = inputs["in"]
        for number, port in enumerate(ctx.linked_family("out[]")):
            payload = await ctx.call(port, payload, key=number)
        return {"done": payload}
