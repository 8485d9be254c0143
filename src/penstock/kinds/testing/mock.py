"""`mock`: stand for another node."""

from __future__ import annotations

from penstock.core.errors import NodeError
from penstock.core.payload import Payload
from penstock.core.ports import Port, Ports
from penstock.engine.kind import Action, FieldError, Inputs, Outputs, field

_WORDS = ("code", "details", "message")


class Mock(Action, kind="mock", pure=True):
    """Stand for another node: whatever comes, answer what was written down.

    `penstock test` puts it in the place of the nodes that a test names in its `mock`. By hand it
    holds the place of what is not there yet.

    Config: answers, a mapping of out-ports to what is sent over them; for the port `error`, a
    mapping of `code`, `message` and `details` with which the node fails. inputs and outputs:
    further ports that others may link to (`in` and `out` are there in any case).

    Ports: those of the config.

    Errors: the one that `answers` gives for `error`, with the code `mock` if it names none.

    Example:
        flow: draft
        nodes:
          - {kind: mock, name: fetch, inputs: [url], answers: {body: {price: 3}}, links: {body: price}}
          - {kind: snippet, name: price, language: cel, code: self.price * 2}
    """

    answers: dict[str, Payload] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)

    def ports(self) -> tuple[Ports, Ports]:
        sent = [port for port in self.answers if port != "error"]
        return (
            {port: Port(default=None) for port in ("in", *self.inputs)},
            {port: Port() for port in ("out", *self.outputs, *sent)},
        )

    def check(self) -> None:
        failure = self.answers.get("error", {})
        if not isinstance(failure, dict) or not failure.keys() <= set(_WORDS):
            message = f"write a mapping of {', '.join(_WORDS)}"
            raise FieldError(("answers", "error"), message)

    def run(self, inputs: Inputs) -> Outputs:  # noqa: ARG002 - that is its nature
        failure = self.answers.get("error")
        if failure is None:
            return dict(self.answers)
        raise NodeError(
            str(failure.get("message", "it was to fail")),
            code=str(failure.get("code", "mock")),
            details=failure.get("details"),
        )
