"""`test`: a test of what hangs from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from penstock.core.errors import NodeError
from penstock.core.payload import Error, Payload
from penstock.core.ports import MISSING, Port, Ports
from penstock.engine.kind import Control, FieldError, Inputs, Outputs, field
from penstock.kinds.testing.difference import shown
from penstock.kinds.testing.expectation import Expectation

if TYPE_CHECKING:
    from penstock.engine.context import ControlContext


class Trial(Control, kind="test"):
    """A test of a graph: call what hangs from `out`, and check its answer.

    In a resident graph nothing starts it but `penstock test`, which runs each as a process of its
    own, without the triggers around it.

    Config: input, what the branch is given; without it, it is given what came in.

    - expect: the value that the answer has to equal.
    - include: a value that it has to include: mappings may have more keys than here.
    - that: a CEL condition over `self`, the answer, or a list of them: all have to hold.
    - fails: true when the branch has to fail, or the code with which it has to. The failure is
      then the answer that the other fields speak of.
    - mock: nodes that are not to run, and what they answer instead: `{fetch: {price: 3}}`;
      `fetch.body` names one of several ports, and `fetch.error: {code: timeout}` lets it fail.
      Only `penstock test` can do that.

    With none of these the test is that the branch does not fail.

    Ports: in → out, called with the input; check, called with the answer: what hangs there has
    to succeed as well, and often is an `assert`; and then done, the answer. `out[0]` and
    `out[1]` are other names for `out` and `check`.

    Errors: `assertion` (details: differences, a line for each; found, the answer); that of the
    branch, or of what hangs from `check`.

    Example:
        flow: self-test
        nodes:
          - {kind: test, name: doubles, input: 21, expect: 42, links: {out: double}}
          - {kind: test, name: wants-a-number, input: many, fails: expression.type, links: {out: double}}
          - {kind: snippet, name: double, language: cel, code: self * 2}
    """

    input: Payload = MISSING
    expect: Payload = MISSING
    include: Payload = MISSING
    that: str | list[str] = field(default_factory=list)
    fails: bool | str = False
    mock: dict[str, Payload] = field(default_factory=dict)
    expectation: Expectation = field(init=False, default=None)

    requires_call: ClassVar[bool] = True
    in_ports: ClassVar[Ports] = {"in": Port(doc="starts the test", default=None)}
    out_ports: ClassVar[Ports] = {
        "out": Port(doc="called with the input", call=True),
        "check": Port(doc="called with the answer", call=True),
        "done": Port(doc="the answer"),
    }
    port_aliases: ClassVar[Mapping[str, str]] = {"out[0]": "out", "out[1]": "check"}

    def check(self) -> None:
        if self.fails == "":
            raise FieldError("fails", "write the code of the failure, or true for any")
        self.expectation = Expectation(self.expect, self.include, self.that)

    async def run(self, inputs: Inputs, ctx: ControlContext) -> Outputs:
        if self.mock:
            raise NodeError(
                "a test with `mock` replaces nodes of its graph, which cannot be done here",
                code="test.mock",
                remedy="run it with `penstock test`",
            )
        answer = await self._answer(inputs["in"] if self.input is MISSING else self.input, ctx)
        self.expectation.verify(answer)
        if ctx.linked("check"):
            await ctx.call("check", answer)
        return {"done": answer}

    async def _answer(self, given: Payload, ctx: ControlContext) -> Payload:
        """What the branch answers, or the failure that it is to fail with."""
        try:
            answer = await ctx.call("out", given)
        except NodeError as error:
            if self.fails is False:
                raise
            failure = Error.from_exception(error)
            if self.fails in (True, error.code):
                return failure
            found = f"`{error.code}` in `{failure.node}`: {error.message}"
            raise self._disappointed("it failed otherwise", found, failure) from error
        if self.fails is False:
            return answer
        raise self._disappointed("it did not fail", shown(answer), answer)

    def _disappointed(self, message: str, found: str, answer: Payload) -> NodeError:
        expected = "a failure" if self.fails is True else f"the failure `{self.fails}`"
        difference = f"expected {expected}, found {found}"
        return NodeError(
            f"{message}\n  {difference}",
            code="assertion",
            details={"differences": [difference], "found": answer},
        )
