"""`call`: a flow inside a flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from penstock.core.errors import DocumentError, InputError, NodeError
from penstock.core.payload import Payload
from penstock.core.ports import Port, Ports
from penstock.engine.kind import Control, FieldError, Inputs, Outputs, field

if TYPE_CHECKING:
    from penstock.engine.binding import Binder
    from penstock.engine.context import ControlContext
    from penstock.engine.flow import Flow

_REMEDY: Final = "set them under `inputs`, or send a mapping of them to the port `in`"


class _Caller(Control):
    """What both kinds have in common."""

    flow: str
    in_ports: ClassVar[Ports] = {"in": Port(dict | None, "inputs of the called flow", default=None)}
    out_ports: ClassVar[Ports] = {"out": Port(doc="what the called flow returned")}

    def bind(self, binder: Binder) -> None:
        try:
            self._flow: Flow = binder.flow(self.flow)
        except DocumentError as error:
            problem = error.problems[0]
            if problem.place is not None:  # it is in the called document, and says where
                raise
            raise FieldError("flow", "; ".join(filter(None, (problem.message, problem.hint)))) from error
        except ValueError as error:
            raise FieldError("flow", str(error)) from error

    async def _call(self, given: dict[str, Payload], ctx: ControlContext) -> Outputs:
        try:
            return {"out": await ctx.call_flow(self._flow, given)}
        except InputError as error:
            raise NodeError(error.message, code="call.inputs", remedy=_REMEDY) from error

    def _arrived(self, payload: Payload) -> dict[str, Payload]:
        if payload is None:
            return {}
        if not isinstance(payload, dict):
            raise NodeError(
                f"inputs are a mapping, but a payload of type `{type(payload).__name__}` arrived",
                code="call.inputs",
                remedy=_REMEDY,
            )
        known = self._flow.input_schema.get("properties")
        return {name: value for name, value in payload.items() if name in known} if known else payload


class Call(_Caller, kind="call"):
    """Run another flow as a child of this run, and send its result.

    Config: flow is a document's path, relative to the document that says it, or
    `module:function` for a Python flow. inputs are the flow's inputs; a mapping that arrives
    at `in` adds to them, key by key, where the flow declares an input of that name. A flow
    that declares none takes all of it.

    The called flow keeps its own `timeout` and its own `on_error`, `continue` or `stop`.
    `max_parallel`, `record`, and an `on_error` that restarts, are those of the calling run.
    What the flow is made of is kept with the revision of the calling flow, so that a later
    change of the file does not disturb runs that have begun.

    Ports: in (a mapping of inputs, or nothing) → out (the flow's result).

    Errors: `call.inputs` when the inputs do not fit the called flow; else the failure inside.

    Example:
        flow: greet_all
        nodes:
          - kind: call
            name: greet
            flow: hello.yaml
            inputs: {name: Ada}
    """

    inputs: dict[str, Payload] = field(default_factory=dict)

    async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
        return await self._call(self.inputs | self._arrived(inputs["in"]), ctx)


class FlowNode(_Caller, kind="flow"):
    """A flow as a node of a resident graph: what is linked to it by its name runs it.

    Whoever applies a flow document (`flow: NAME`, with `nodes`) to a namespace has such a node.
    Inside it, names are local; it can also be called by `call` nodes, and started as a run.

    Config: flow, the name of the flow.

    Ports: in (a mapping of inputs, or nothing) → out (the flow's result).

    Errors: `call.inputs` when the inputs do not fit the flow; else the failure inside.

    Example:
        flow: greet
        inputs: {name: {type: string, default: Ada}}
        nodes:
          - {kind: snippet, name: say, language: cel, code: "'Hello ' + self.name"}
    """

    async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
        return await self._call(self._arrived(inputs["in"]), ctx)
