"""`lock`: a point where a run waits for a person, or another program, to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from penstock.core.duration import Duration
from penstock.core.payload import Payload
from penstock.core.ports import Port, Ports
from penstock.engine.kind import Control, FieldError, Inputs, Outputs
from penstock.engine.locks.schema import check_schema

if TYPE_CHECKING:
    from penstock.engine.context import ControlContext
    from penstock.engine.locks.candidate import Candidate


class Lock(Control, kind="lock", aliases=("control.lock",)):
    """Wait until somebody submits an answer that will do, and send that.

    What is submitted is a candidate. It must fit `schema`; then, if the port `candidate` is
    linked, what hangs from it decides. Its response becomes the answer; no response at all
    takes the candidate as it is. A failure with the code `denied`, which a `throw` node makes,
    denies it: whoever submitted it reads the message, and the lock stays open. Any other
    failure is the lock's own.

    A run that only waits at a lock leaves memory, and survives restarts.

    Config: schema, the JSON Schema of an answer; without one anything will do. title (the
    node's name) and description, shown over the form. candidate_timeout: how long to wait for an
    answer (for ever). release_timeout: how long whoever submits one waits for the decision (1m).

    Ports: in (what a person needs to see) → out (the answer); candidate, called with
    `{value, by, id, data}`.

    Errors: `lock.expired` when nobody answered in time; `lock.unrecorded` in a run that is not
    recorded, because nobody could see it there.

    Example:
        flow: lunch
        nodes:
          - kind: lock
            name: choose
            title: What would you like?
            schema: {type: string, enum: [soup, salad]}
            candidate_timeout: 0s
            links: {out: log, error: nothing}
          - {kind: debug.log, name: log}
          - {kind: snippet, name: nothing, language: text, code: nothing}
    """

    schema: dict[str, Any] | None = None
    title: str = ""
    description: str = ""
    candidate_timeout: Duration | None = None
    release_timeout: Duration | None = Duration(minutes=1)

    in_ports: ClassVar[Ports] = {"in": Port(doc="what a person needs to see", default=None)}
    out_ports: ClassVar[Ports] = {
        "out": Port(doc="the answer"),
        "candidate": Port(doc="called with each candidate; decides about it", call=True),
    }

    def check(self) -> None:
        if self.schema is not None:
            try:
                check_schema(self.schema)
            except ValueError as error:
                raise FieldError("schema", str(error)) from error

    async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
        name = ctx.node.rpartition("/")[2].partition("#")[0]
        shown = inputs["in"]

        async def decide(candidate: Candidate) -> Payload:
            about = {"value": candidate.value, "by": candidate.by, "id": candidate.id, "data": shown}
            return await ctx.call("candidate", about, key=candidate.number)

        answer = await ctx.lock(
            name,
            schema=self.schema,
            data=shown,
            title=self.title or name,
            description=self.description,
            candidate_timeout=self.candidate_timeout,
            release_timeout=self.release_timeout,
            check=decide if ctx.linked("candidate") else None,
        )
        return {"out": answer}
