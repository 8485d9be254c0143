"""`assert`: fail when a payload is not what it should be."""

from __future__ import annotations

from typing import ClassVar

from penstock.core.payload import Payload
from penstock.core.ports import MISSING, Port, Ports
from penstock.engine.kind import FieldError, Relay, Relayed, field
from penstock.kinds.testing.expectation import Expectation


class Assert(Relay, kind="assert", aliases=("control.assert",), pure=True, normalised=True):
    """Fail when the payload is not what it should be, and pass it on when it is.

    Config: at least one of

    - expect: the value that the payload has to equal.
    - include: a value that it has to include: mappings may have more keys than here.
    - that: a CEL condition over `self`, or a list of them: all have to hold.

    message: what to say when it fails, before the differences.

    Ports: in → out, the payload as it came.

    Errors: `assertion` (details: differences, a line for each; found, the payload).

    Example:
        flow: careful
        nodes:
          - {kind: snippet, name: order, language: json, code: '{"total": 12}', links: {out: sane}}
          - kind: assert
            name: sane
            that: [self.total > 0, self.total < 100]
            include: {total: 12}
    """

    expect: Payload = MISSING
    include: Payload = MISSING
    that: str | list[str] = field(default_factory=list)
    message: str = ""
    expectation: Expectation = field(init=False, default=None)

    in_ports: ClassVar[Ports] = {"in": Port(doc="what is checked", default=None)}
    out_ports: ClassVar[Ports] = {"out": Port(doc="the payload as it came")}

    def check(self) -> None:
        self.expectation = Expectation(self.expect, self.include, self.that)
        if not self.expectation:
            raise FieldError("that", "it expects nothing: set `expect`, `include` or `that`")

    def relay(self, payload: Payload) -> Relayed:
        self.expectation.verify(payload, self.message)
        return "out", payload
