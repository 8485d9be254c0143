"""Kinds that choose which way a payload goes, and bring ways together again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import msgspec

from penstock.core.payload import Payload
from penstock.core.policies import Join
from penstock.core.ports import Port, Ports, family, index
from penstock.engine.kind import NOTHING, Action, FieldError, Inputs, Outputs, Relay, Relayed, field
from penstock.kinds.languages.cel import Expression, Scope, needed_functions


class If(Relay, kind="if", aliases=("control.if",), pure=True, normalised=True):
    """Send the payload one way or the other.

    Config: when, a CEL condition over `self`, the payload. Without it the payload decides:
    null, false, 0 and what is empty are false.

    Ports: in → true, or false. `out[0]` and `out[1]` are other names for them.

    Errors: those of a CEL expression: `expression.missing` when the payload lacks a field that
    the condition names, `expression.type` when it answers neither true nor false.

    Example:
        flow: gate
        inputs: {count: {type: integer}}
        nodes:
          - {kind: if, name: gate, when: self.count > 10, links: {"true": many, "false": few}}
          - {kind: snippet, name: many, language: text, code: a lot}
          - {kind: snippet, name: few, language: text, code: not much}
    """

    when: str | bool | None = None
    condition: Expression | None = field(init=False, default=None)

    in_ports: ClassVar[Ports] = {"in": Port(doc="what is asked about", default=None)}
    out_ports: ClassVar[Ports] = {
        "true": Port(doc="the payload, when the condition holds"),
        "false": Port(doc="the payload, when it does not"),
    }
    port_aliases: ClassVar[Mapping[str, str]] = {"out[0]": "true", "out[1]": "false"}

    def check(self) -> None:
        if self.when is None:
            return
        try:
            self.condition = _condition(self.when)
        except ValueError as error:
            raise FieldError("when", str(error)) from error

    def relay(self, payload: Payload) -> Relayed:
        return "true" if self._holds(payload) else "false", payload

    def _holds(self, payload: Payload) -> bool:
        if self.condition is None:
            return bool(payload)
        return self.condition.holds(Scope(payload, self.condition.functions))


class Case(msgspec.Struct, forbid_unknown_fields=True):
    """One case of a `switch`: a CEL condition, and the port of the payloads it holds for."""

    when: str | bool
    port: str


class Switch(Relay, kind="switch", aliases=("control.switch",), pure=True, normalised=True):
    """Send the payload to the port of the first case that holds.

    Config: match, a list of cases, each with `when`, a CEL condition over `self`, and `port`.
    `when: 'true'` at the end holds for everything else.

    Ports: in → out[i]. No case holds → nothing is sent, and the branches close.

    Errors: those of a CEL expression, see `if`. A condition that fails ends the switch:
    ask with `has(self.field)` before a field that may be missing.

    Example:
        flow: sort
        inputs: {size: {type: integer}}
        nodes:
          - kind: switch
            name: sort
            match:
              - {when: self.size > 100, port: "out[0]"}
              - {when: 'true', port: "out[1]"}
            links: {"out[0]": large, "out[1]": small}
          - {kind: snippet, name: large, language: text, code: large}
          - {kind: snippet, name: small, language: text, code: small}
    """

    match: list[Case]
    cases: list[tuple[Expression, str]] = field(init=False, default_factory=list)

    in_ports: ClassVar[Ports] = {"in": Port(doc="what the cases are asked about", default=None)}
    out_ports: ClassVar[Ports] = {"out[]": Port(doc="the payload, when the case of this port holds")}

    def check(self) -> None:
        cases: list[tuple[Expression, str]] = []
        mistakes: list[FieldError] = []
        for number, case in enumerate(self.match):
            if family(case.port) != "out[]":
                message = f"there is no port `{case.port}`; write `out[{number}]`"
                mistakes.append(FieldError(("match", number, "port"), message))
            try:
                cases.append((_condition(case.when), case.port))
            except ValueError as error:
                mistakes.append(FieldError(("match", number, "when"), str(error)))
        if mistakes:
            raise ExceptionGroup("the cases cannot be used", mistakes)
        self.cases = cases
        self._functions = needed_functions(condition for condition, _ in cases)

    def relay(self, payload: Payload) -> Relayed:
        scope = Scope(payload, self._functions)
        port = next((port for condition, port in self.cases if condition.holds(scope)), "")
        return (port, payload) if port else NOTHING


class Merge(Action, kind="merge", aliases=("control.merge",), pure=True, normalised=True):
    """Bring branches together again.

    It waits until each linked in-port has its packet, or can get none any more, and is
    skipped when none came. A branch that was not taken therefore never holds it up. With
    `join: all` it is skipped as soon as one of its branches stays empty.

    Config: mode, `list` (the default) for all that came, in the order of the ports, or
    `first` for the one that came; of several, the first in the order of the ports.

    Ports: in[i] → out; `in` is another name for `in[0]`. Links from several branches to the
    same in-port do not wait for each other: such a merge fires for every packet.

    Example:
        flow: both
        nodes:
          - {kind: snippet, name: left, language: text, code: left, links: {out: "merge.in[0]"}}
          - {kind: snippet, name: right, language: text, code: right, links: {out: "merge.in[1]"}}
          - {kind: merge, name: merge}
    """

    mode: Literal["list", "first"] = "list"

    default_join: ClassVar[Join] = Join.ANY
    in_ports: ClassVar[Ports] = {"in[]": Port(doc="one branch each")}
    out_ports: ClassVar[Ports] = {"out": Port(doc="what came")}
    port_aliases: ClassVar[Mapping[str, str]] = {"in": "in[0]"}

    def run(self, inputs: Inputs) -> Outputs:
        came = [inputs[port] for port in sorted(inputs, key=lambda port: index(port) or 0)]
        if self.mode == "list":
            return {"out": came}
        return {"out": came[0]} if came else None


class Nop(Relay, kind="nop", aliases=("control.nop",), pure=True, normalised=True):
    """Take a payload and do nothing.

    It sends nothing, so that its branch ends here and adds nothing to the response.

    Ports: in.

    Example:
        flow: quiet
        nodes:
          - {kind: snippet, name: talk, language: text, code: ssh, links: {out: nop}}
          - {kind: nop, name: nop}
    """

    in_ports: ClassVar[Ports] = {"in": Port(doc="anything", default=None)}
    out_ports: ClassVar[Ports] = {}

    def relay(self, payload: Payload) -> Relayed:  # noqa: ARG002 - that is its nature
        return NOTHING


def _condition(when: str | bool) -> Expression:
    """The compiled condition. Raises ValueError that says what is wrong with it, and where."""
    code = when if isinstance(when, str) else str(when).lower()
    try:
        return Expression(code)
    except ValueError as error:
        raise ValueError(f"`{code}` is not a condition: {error}") from error
