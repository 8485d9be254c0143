"""`syscall`: what a graph asks of the runtime itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from penstock.core.ports import Port, Ports
from penstock.engine.kind import Action, FieldError, Inputs, Outputs
from penstock.engine.syscalls.opcodes import OPCODES

if TYPE_CHECKING:
    from penstock.engine.context import NodeContext


class Syscall(Action, kind="syscall"):
    """Read or change specs, values, symbols or processes.

    It needs a resident runtime (`penstock start`). With it, a workflow in the namespace
    `system` is the HTTP API by which others change theirs.

    Config: opcode, one of

    - `nodes.create`, `nodes.update`: specs, one mapping or a list of them, checked as `penstock
      apply` checks them, all written or none. `create` refuses those that are there already,
      `update` lays each over what is there (RFC 7396: null removes a field); a `revision` in
      it must be the current one. The answer is what was written, with id and revision.
    - `nodes.read`, `nodes.delete`: a filter, a mapping of `id`, `namespace`, `name` and `kind`,
      or a list of which one must fit. Nothing stands for everything outside of the namespace
      that this graph itself runs in.
    - `values.…`: the same for values. What they hold is never in the answer.
    - `symbols.read`: the live nodes of this namespace with status and reason. `symbols.delete`
      takes some down, `symbols.create` puts them up again, and `symbols.update` makes them anew;
      they take names, ids or filters.
    - `processes.read`: what is under way. `processes.create` starts a process, `{node, port,
      payload}`, or a run, `{flow, inputs}`; with `wait: true` the answer has its result.
      `processes.update` takes `{id, state}` with `cancelled` or `running`; `processes.delete`
      ends all that the filter (`id`, `name`) means, but for the one that asks.

    Ports: in → out.

    Errors: `invalid argument` for whatever the caller can put right; its details have a `reason`
    (`document`, `conflict`, `not found`, `inputs` or `busy`). `store` when the store fails.
    `syscall.unavailable` outside of a resident runtime.

    Example:
        - kind: listener
          name: admin
          port: 0
          links: {out: read}
        - kind: block
          name: read
          specs:
            - {kind: snippet, language: json, code: 'null'}
            - {kind: syscall, opcode: nodes.read}
    """

    opcode: str
    in_ports: ClassVar[Ports] = {"in": Port(doc="what the call takes", default=None)}
    out_ports: ClassVar[Ports] = {"out": Port(doc="what it answers")}

    def check(self) -> None:
        if self.opcode not in OPCODES:
            from penstock.core.problems import suggest

            hint = suggest(self.opcode, OPCODES)
            raise FieldError("opcode", f"there is no call `{self.opcode}`; {hint}")

    async def run(self, inputs: Inputs, ctx: NodeContext) -> Outputs:
        return {"out": await ctx.syscall(self.opcode, inputs["in"])}
